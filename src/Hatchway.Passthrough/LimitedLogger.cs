using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough;

/// <summary>Limits the lines a minute that are logged about one device or one guest, so that a guest can't fill the host's
/// log.</summary>
/// <remarks>Any thread may call.</remarks>
/// <param name="inner">The logger that gets the lines.</param>
/// <param name="subject">The device or guest that the lines are about, for people.</param>
/// <param name="most">Most lines a minute.</param>
/// <param name="time">The clock.</param>
public sealed class LimitedLogger(ILogger inner, string subject, int most, TimeProvider time) : ILogger
{
    /// <summary>Most lines a minute about a device.</summary>
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
