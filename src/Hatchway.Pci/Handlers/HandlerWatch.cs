using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Handlers;

/// <summary>Warns of handlers that throw, at a limited rate, and of handlers that hang.</summary>
/// <remarks>
/// A vCPU that enters or leaves a handler only adds to a counter: it reads no clock and takes no lock. Time is measured by
/// <see cref="Check"/>, which another thread calls periodically.
/// </remarks>
public sealed class HandlerWatch
{
    /// <summary>The time after which a call is reported as hanging.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>The least time between two warnings that a handler throws.</summary>
    public static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    private readonly TimeProvider _clock;
    private readonly Action<string> _warn;

    // Guards the list. Held during the warning of a hanging handler, so taken before the log's lock, and before no other.
    private readonly Lock _gate = new();
    private readonly List<WatchedHandler> _handlers = [];

    /// <param name="clock">The clock.</param>
    /// <param name="warn">Takes warnings; called on vCPU threads and on the thread that calls <see cref="Check"/>.</param>
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
    /// Looks for calls of handlers that have not returned, over several checks, for longer than <see cref="Patience"/>, and warns of each
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

    /// <summary>Wraps a handler, so that its calls are watched.</summary>
    /// <param name="handler">The handler.</param>
    /// <param name="name">Its name and range, for people.</param>
    internal IBarHandler Over(IBarHandler handler, string name)
    {
        var watched = new WatchedHandler(handler, name, this);
        lock (_gate)
            _handlers.Add(watched);
        return watched;
    }

    /// <summary>Counts a failure, and warns of it unless the last warning was less than <see cref="Quiet"/> ago.</summary>
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
