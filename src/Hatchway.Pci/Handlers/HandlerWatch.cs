using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Handlers;

/// <summary>Warns of handlers that throw, at a limited rate, and of handlers that hang.</summary>
/// <remarks>
/// A vCPU that enters or leaves a handler only adds to a counter: it reads no clock and takes no lock. Time is measured by
/// <see cref="Check"/>, which another thread calls periodically.
/// </remarks>
public sealed class HandlerWatch
{
    /// <summary>A call that takes longer is reported as hanging.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>The least time between two warnings of a handler.</summary>
    public static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    private readonly TimeProvider _clock;
    private readonly Action<string> _warn;

    // Guards the list; held while a hanging handler is warned of. Taken before none but the log's.
    private readonly Lock _gate = new();
    private readonly List<WatchedHandler> _handlers = [];

    /// <param name="clock">The time.</param>
    /// <param name="warn">Where warnings go; called on vCPU threads and on the one that checks.</param>
    public HandlerWatch(TimeProvider clock, Action<string> warn)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(warn);
        _clock = clock;
        _warn = warn;
    }

    /// <summary>True while a vCPU is in one of the handlers.</summary>
    public bool HasCpu
    {
        get
        {
            lock (_gate)
                return _handlers.Exists(static handler => handler.HasCpu);
        }
    }

    /// <summary>
    /// Looks who is in a handler. A call that has not returned since earlier checks, for longer than <see cref="Patience"/>, is warned of
    /// once. Called by one thread.
    /// </summary>
    public void Check()
    {
        var now = _clock.GetTimestamp();
        lock (_gate)
        {
            foreach (var handler in _handlers)
            {
                if (!handler.MayHang(now, Ticks(Patience)))
                    continue;
                _warn($"the handler {handler.Name} has kept a CPU of the guest for more than {Patience.TotalSeconds} s; the others go on");
            }
        }
    }

    /// <summary>Stands before a handler from now on.</summary>
    /// <param name="handler">The handler.</param>
    /// <param name="name">For people: what and where.</param>
    internal IBarHandler Over(IBarHandler handler, string name)
    {
        var watched = new WatchedHandler(handler, name, this);
        lock (_gate)
            _handlers.Add(watched);
        return watched;
    }

    /// <summary>Counts a failure, and warns of it unless that was done a short while ago.</summary>
    internal void Failed(WatchedHandler handler, bool reading, Exception failure)
    {
        if (!handler.MayWarn(_clock.GetTimestamp(), Ticks(Quiet), out var unsaid))
            return;
        var more = unsaid > 0 ? $"; {unsaid} more since the last warning" : "";
        var answer = reading ? "the guest reads all ones" : "the write is dropped";
        _warn($"the handler {handler.Name} threw {failure.GetType().Name}: {OneLine(failure.Message)}; {answer}{more}");
    }

    /// <summary>The first line of a text.</summary>
    internal static string OneLine(string text) => text.AsSpan().IndexOfAny('\r', '\n') is >= 0 and var end ? text[..end] : text;

    private long Ticks(TimeSpan time) => (long)(time.TotalSeconds * _clock.TimestampFrequency);
}
