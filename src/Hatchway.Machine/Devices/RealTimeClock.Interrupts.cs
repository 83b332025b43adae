namespace Hatchway.Machine.Devices;

public sealed partial class RealTimeClock : IDisposable
{
    /// <summary>The interrupt's GSI: edge-triggered.</summary>
    public const uint Gsi = 8;

    private const byte Periodic = 0x40;
    private const byte Alarm = 0x20;
    private const byte Update = 0x10;
    private const byte Events = Periodic | Alarm | Update;

    // Register C: one of its events is enabled.
    private const byte Requested = 0x80;

    // An alarm register with both of these bits matches any time (MC146818, "Alarm").
    private const byte AnyTime = 0xC0;

    // Register A: the periodic rate; 0 is none, 3 is 8192 Hz, and each further one half of the one before; 1 and 2 equal 8 and 9.
    private const byte RateMask = 0x0F;
    private const int FastestRate = 3;
    private const int FastestFrequency = 8192;
    private const int SameAsBelow = 7;

    private const int SecondsInDay = 24 * 60 * 60;

    // The resolution of the host's timer, which also limits the guest's load on it. At faster rates several periods share an interrupt.
    private const long ShortestWait = TimeSpan.TicksPerMillisecond;

    private readonly IInterruptLine _line;
    private readonly ITimer _timer;

    // Guarded by _lock: register C's events, the second and period of the last look, and the states last given to line and timer.
    private byte _events;
    private long _second;
    private long _period;
    private bool _isRaised;
    private bool _isTimed;
    private bool _isDisposed;

    private byte Enabled => (byte)(_ram[(int)Cell.B] & Events);

    // The periodic interrupt's frequency in Hz, or 0.
    private int Frequency
    {
        get
        {
            var rate = _ram[(int)Cell.A] & RateMask;
            if (rate == 0 || DividerHeld)
                return 0;
            return FastestFrequency >> ((rate < FastestRate ? rate + SameAsBelow : rate) - FastestRate);
        }
    }

    // Number of the current period. By the host's timestamps, since those, unlike its date, are never set.
    private long Period => (long)((UInt128)(ulong)_time.GetTimestamp() * (uint)Frequency / (ulong)_time.TimestampFrequency);

    /// <summary>Ends the clock's interrupts.</summary>
    public void Dispose()
    {
        lock (_lock)
            _isDisposed = true;
        _timer.Dispose();
    }

    private void OnTimer()
    {
        lock (_lock)
        {
            if (_isDisposed)
                return;
            _isTimed = false;
            Advance();
            Drive();
        }
    }

    private byte TakeEvents()
    {
        Advance();
        var value = (byte)(_events | ((_events & Enabled) != 0 ? Requested : 0));
        _events = 0;
        Drive();
        return value;
    }

    // Sets the flags of the events since the last look.
    private void Advance()
    {
        var second = SecondOf(Now);
        if (!Stopped && second != _second)
        {
            _events |= Update;
            if ((_events & Alarm) == 0 && HasAlarm(second))
                _events |= Alarm;
        }
        var period = Period;
        if (period != _period)
            _events |= Periodic;
        (_second, _period) = (second, period);
    }

    // Called when the guest has changed time or rate, which must not count as an event.
    private void Restart() => (_second, _period) = (SecondOf(Now), Period);

    // True when an alarm was due in a second since the last look. One day's seconds suffice, as they have all alarms. If the host's clock
    // was set back, only the current second counts.
    private bool HasAlarm(long second)
    {
        var first = _second < second ? Math.Max(_second + 1, second - SecondsInDay + 1) : second;
        for (; first <= second; first++)
        {
            if (IsAlarm(new DateTime(first * TimeSpan.TicksPerSecond)))
                return true;
        }
        return false;
    }

    private bool IsAlarm(DateTime time) =>
        Matches(Cell.SecondsAlarm, Cell.Seconds, time) && Matches(Cell.MinutesAlarm, Cell.Minutes, time)
        && Matches(Cell.HoursAlarm, Cell.Hours, time);

    private bool Matches(Cell alarm, Cell cell, DateTime time)
    {
        var value = _ram[(int)alarm];
        return (value & AnyTime) == AnyTime || value == Encode(cell, time);
    }

    private static long SecondOf(DateTime time) => time.Ticks / TimeSpan.TicksPerSecond;

    private void Drive()
    {
        var raised = (_events & Enabled) != 0;
        if (raised != _isRaised)
        {
            _isRaised = raised;
            _line.Set(raised);
        }
        var wait = raised ? long.MaxValue : TicksToNext();
        var isTimed = wait != long.MaxValue && !_isDisposed;
        if (isTimed || _isTimed)
            _timer.Change(isTimed ? RoundUp(wait) : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _isTimed = isTimed;
    }

    // Ticks until an enabled event may come. An alarm is checked for at each second.
    private long TicksToNext()
    {
        var wait = long.MaxValue;
        if ((Enabled & (Alarm | Update)) != 0 && !Stopped)
            wait = TimeSpan.TicksPerSecond - Fraction(Now).Ticks;
        if ((Enabled & Periodic) != 0 && Frequency is not 0 and var frequency)
            wait = Math.Min(wait, TicksToNextPeriod((uint)frequency));
        return wait;
    }

    private long TicksToNextPeriod(uint frequency)
    {
        var second = (UInt128)(ulong)_time.TimestampFrequency;
        var rest = second - ((UInt128)(ulong)_time.GetTimestamp() * frequency % second);
        var divisor = second * frequency;
        return (long)(((rest * (ulong)TimeSpan.TicksPerSecond) + divisor - 1) / divisor);
    }

    // Rounds up to the resolution of the host's timer, since before its time there is no event yet.
    private static TimeSpan RoundUp(long ticks) => new((ticks + ShortestWait - 1) / ShortestWait * ShortestWait);
}
