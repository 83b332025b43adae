using Hatchway.Machine.Devices;

namespace Hatchway.Machine.Tests.Devices;

/// <summary>A wire that remembers its level and counts its rising edges, which is what an edge-triggered input sees.</summary>
internal sealed class FakeLine : IInterruptLine
{
    public bool Asserted { get; private set; }

    public int Edges { get; private set; }

    public void Set(bool asserted)
    {
        if (asserted && !Asserted)
            Edges++;
        Asserted = asserted;
    }
}

internal sealed class FakePower : IPowerControl
{
    public List<PowerEvent> Requests { get; } = [];

    public void Request(PowerEvent powerEvent) => Requests.Add(powerEvent);
}

internal sealed class FakeSink : ICharacterSink
{
    public List<byte> Bytes { get; } = [];

    public Action? OnWrite { get; set; }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Bytes.AddRange(bytes);
        OnWrite?.Invoke();
    }
}

/// <summary>A clock that moves only when told to, and then runs its timers at their times.</summary>
internal sealed class FakeTime(DateTimeOffset start) : TimeProvider
{
    private readonly List<FakeTimer> _timers = [];
    private TimeSpan _elapsed;

    public TimeSpan Elapsed
    {
        get => _elapsed;
        set
        {
            while (_timers.Where(timer => timer.Due <= value).MinBy(static timer => timer.Due) is { } next)
            {
                _elapsed = next.Due!.Value;
                Fired++;
                next.Fire();
                AfterTimer?.Invoke();
            }
            _elapsed = value;
        }
    }

    /// <summary>By how much somebody has set the date, and not the timestamps.</summary>
    public TimeSpan Set { get; set; }

    /// <summary>How often a timer ran.</summary>
    public int Fired { get; private set; }

    /// <summary>What somebody does each time after that.</summary>
    public Action? AfterTimer { get; set; }

    public bool HasTimer => _timers.Exists(static timer => timer.Due is not null);

    public override long TimestampFrequency => 10_000_000;

    public override DateTimeOffset GetUtcNow() => start + Elapsed + Set;

    public override long GetTimestamp() => Elapsed.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Assert.Equal(Timeout.InfiniteTimeSpan, period);
        var timer = new FakeTimer(this, callback, state);
        timer.Change(dueTime, period);
        _timers.Add(timer);
        return timer;
    }

    private sealed class FakeTimer(FakeTime time, TimerCallback callback, object? state) : ITimer
    {
        public TimeSpan? Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Due = dueTime == Timeout.InfiniteTimeSpan ? null : time.Elapsed + dueTime;
            return true;
        }

        public void Fire()
        {
            Due = null;
            callback(state);
        }

        public void Dispose() => Due = null;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
