using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough;

/// <summary>Passes on what is logged of one device, but for a minute no more than a few lines: a guest must not be able to fill the
/// host's log.</summary>
/// <remarks>Any thread may call.</remarks>
internal sealed class LimitedLogger(ILogger inner, string device, TimeProvider time) : ILogger
{
    /// <summary>Lines a minute.</summary>
    public const int Most = 20;

    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);
    private readonly Lock _gate = new();
    private long _start = time.GetTimestamp();
    private int _lines;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
            return;
        int line;
        lock (_gate)
        {
            if (time.GetElapsedTime(_start) >= Period)
                (_start, _lines) = (time.GetTimestamp(), 0);
            line = ++_lines;
        }
        if (line <= Most)
            inner.Log(logLevel, eventId, state, exception, formatter);
        else if (line == Most + 1)
        {
            inner.Log(
                logLevel,
                eventId,
                device,
                null,
                static (device, _) => $"{device}: more than {Most} such lines in a minute: the others are not shown");
        }
    }
}
