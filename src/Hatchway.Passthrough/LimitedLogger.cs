using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough;

/// <summary>Passes on at most a number of lines a minute about one device, or about a guest, so that a guest can't fill the host's
/// log.</summary>
/// <remarks>Any thread may call.</remarks>
/// <param name="inner">Where it goes.</param>
/// <param name="subject">For people: what the lines are of.</param>
/// <param name="most">Lines a minute.</param>
/// <param name="time">The time.</param>
public sealed class LimitedLogger(ILogger inner, string subject, int most, TimeProvider time) : ILogger
{
    /// <summary>Lines a minute of a device.</summary>
    public const int MostOfDevice = 20;

    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    // Guards the two fields below; the inner logger is called outside it. A leaf.
    private readonly Lock _gate = new();
    private long _start = time.GetTimestamp();
    private int _lines;

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

    /// <inheritdoc/>
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
        if (line <= most)
            inner.Log(logLevel, eventId, state, exception, formatter);
        else if (line == most + 1)
        {
            inner.Log(
                logLevel,
                eventId,
                (subject, most),
                null,
                static (limit, _) => $"{limit.subject}: more than {limit.most} such lines in a minute: the others are not shown");
        }
    }
}
