namespace Hatchway.Pci.Handlers;

/// <summary>Tells of handlers that throw, at most once in a while, and of handlers that hang.</summary>
/// <remarks>
/// A vCPU that enters a handler and leaves it writes two fields of its own, and a third when it comes from another device: no clock is read
/// and no lock is taken there. The time is taken by whoever calls <see cref="Check"/>, again and again, on a thread of its own.
/// </remarks>
public sealed class HandlerWatch : IDisposable
{
    /// <summary>A handler that has not returned for so long is told of.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Between two warnings of a handler that throws.</summary>
    public static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    private readonly TimeProvider _clock;
    private readonly Action<string> _warn;
    // A thread's visit to the handlers of one device, and the last one's at hand: a CPU reads the same device again and again.
    private readonly ThreadLocal<Visit> _visit;
    [ThreadStatic]
    private static Visit? t_last;

    private readonly Lock _gate = new();
    private readonly List<Visit> _visits = [];

    /// <param name="clock">The time.</param>
    /// <param name="warn">Where warnings go; called on vCPU threads and on the one that checks.</param>
    public HandlerWatch(TimeProvider clock, Action<string> warn)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(warn);
        _clock = clock;
        _warn = warn;
        _visit = new ThreadLocal<Visit>(Register);
    }

    /// <summary>
    /// Looks who is in a handler. One that was in the same call of it at earlier checks, for longer than <see cref="Patience"/>, is warned
    /// of, once for that call. Called by one thread.
    /// </summary>
    public void Check()
    {
        lock (_gate)
        {
            foreach (var visit in _visits)
                Look(visit);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _visit.Dispose();

    /// <summary>The calling thread's own.</summary>
    internal Visit Mine => t_last is { } last && last.Watch == this ? last : t_last = _visit.Value!;

    /// <summary>Counts a failure, and warns of it unless that was done a short while ago.</summary>
    internal void Failed(WatchedHandler handler, bool reading, Exception failure)
    {
        var now = _clock.GetTimestamp();
        if (!handler.MayWarn(now, (long)(Quiet.TotalSeconds * _clock.TimestampFrequency), out var unsaid))
            return;
        var more = unsaid > 0 ? $"; {unsaid} more since the last warning" : "";
        var answer = reading ? "the guest reads all ones" : "the write is dropped";
        _warn($"the handler {handler.Name} threw {failure.GetType().Name}: {OneLine(failure.Message)}; {answer}{more}");
    }

    /// <summary>The first line of a text.</summary>
    internal static string OneLine(string text) => text.AsSpan().IndexOfAny('\r', '\n') is >= 0 and var end ? text[..end] : text;

    private Visit Register()
    {
        var visit = new Visit(this);
        lock (_gate)
            _visits.Add(visit);
        return visit;
    }

    private void Look(Visit visit)
    {
        var inside = visit.Inside;
        var entries = visit.Entries;
        if (inside is null || entries != visit.SeenEntries)
        {
            visit.SeenEntries = entries;
            visit.Since = _clock.GetTimestamp();
            visit.IsTold = false;
        }
        else if (!visit.IsTold && _clock.GetElapsedTime(visit.Since) >= Patience)
        {
            visit.IsTold = true;
            _warn($"the handler {inside.Name} has kept a CPU of the guest for more than {Patience.TotalSeconds} s; the others go on");
        }
    }

    /// <summary>What one thread is in.</summary>
    internal sealed class Visit(HandlerWatch watch)
    {
        private volatile WatchedHandler? _inside;
        private long _entries;

        public HandlerWatch Watch => watch;

        public WatchedHandler? Inside => _inside;

        public long Entries => Volatile.Read(ref _entries);

        // The rest is of the thread that checks.
        public long SeenEntries { get; set; }

        public long Since { get; set; }

        public bool IsTold { get; set; }

        public void Enter(WatchedHandler handler)
        {
            Volatile.Write(ref _entries, _entries + 1);
            _inside = handler;
        }

        public void Leave() => _inside = null;
    }
}
