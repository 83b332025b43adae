using Hatchway.Machine.Devices;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Devices;

/// <summary>The clock's interrupts, bits as in the MC146818's data sheet: periodic 40h, alarm 20h, update 10h.</summary>
public sealed class RealTimeClockInterruptTests : IDisposable
{
    private const byte SecondsAlarm = 1, MinutesAlarm = 3, HoursAlarm = 5, A = 10, B = 11, C = 12;
    private const byte Hours24 = 0x02, Update = 0x10, Alarm = 0x20, Periodic = 0x40, Set = 0x80;

    // A Saturday.
    private readonly FakeTime _time = new(new DateTimeOffset(2026, 11, 21, 19, 5, 59, TimeSpan.Zero));
    private readonly FakeLine _line = new();
    private readonly RealTimeClock _clock;

    public RealTimeClockInterruptTests() => _clock = new RealTimeClock(_time, _line);

    public void Dispose() => _clock.Dispose();

    [Fact]
    public void An_alarm_interrupts_once_in_its_second_and_reading_register_C_ends_that()
    {
        SetAlarm(0x19, 0x06, 0x01);
        Put(B, Hours24 | Alarm);
        Pass(1.9);
        Assert.False(_line.Asserted);
        Pass(0.1);
        Assert.True(_line.Asserted);

        Assert.Equal(0xF0, Get(C));

        Assert.False(_line.Asserted);
        Assert.Equal(0, Get(C));
        Pass(3600);
        Assert.Equal(1, _line.Edges);
        Pass(23 * 3600);
        Assert.Equal(2, _line.Edges);
    }

    [Theory]
    [InlineData(0xFF, 0xFF, 0xFF, 3600)]
    [InlineData(0xFF, 0xC0, 0x30, 60)]
    [InlineData(0xC1, 0x30, 0x30, 1)]
    [InlineData(0x19, 0xFF, 0xFF, 3240)]
    [InlineData(0x19, 0x05, 0x59, 0)]
    [InlineData(0x20, 0x05, 0x59, 1)]
    [InlineData(0x19, 0x65, 0x00, 0)]
    public void What_an_alarm_does_not_care_for_matches_always(byte hours, byte minutes, byte seconds, int interrupts)
    {
        HandleInterrupts();
        SetAlarm(hours, minutes, seconds);
        Put(B, Hours24 | Alarm);

        Pass(3600);

        Assert.Equal(interrupts, _line.Edges);
    }

    [Fact]
    public void An_alarm_is_in_the_format_of_the_time()
    {
        SetAlarm(0x80 | 7, 6, 10);
        Put(B, 0x04 | Alarm);
        Pass(11);
        Assert.True(_line.Asserted);
    }

    [Fact]
    public void Each_update_interrupts_when_the_one_before_was_seen()
    {
        Pass(0.25);
        Get(C);
        Put(B, Hours24 | Update);
        Pass(0.74);
        Assert.False(_line.Asserted);
        Pass(0.01);
        Assert.True(_line.Asserted);
        Pass(5);
        Assert.Equal(1, _line.Edges);
        Assert.Equal(0x80 | Periodic | Update, Get(C));
        Pass(1);
        Assert.Equal(2, _line.Edges);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 256)]
    [InlineData(2, 128)]
    [InlineData(7, 512)]
    [InlineData(8, 256)]
    [InlineData(15, 2)]
    public void Periodic_interrupts_come_at_the_rate_of_register_A(byte rate, int frequency)
    {
        HandleInterrupts();
        Put(A, (byte)(0x20 | rate));
        Put(B, Hours24 | Periodic);

        Pass(10);

        Assert.Equal(10 * frequency, _line.Edges);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(6)]
    public void A_rate_that_a_host_has_no_timer_for_costs_it_a_thousand_a_second_at_most(byte rate)
    {
        HandleInterrupts();
        Put(A, (byte)(0x20 | rate));
        Put(B, Hours24 | Periodic);

        Pass(1);

        Assert.InRange(_time.Fired, 900, 1000);
        Assert.Equal(_time.Fired, _line.Edges);
    }

    [Fact]
    public void A_guest_that_never_looks_costs_nothing()
    {
        Put(A, 0x23);
        Put(B, Hours24 | Periodic | Update | Alarm);
        Pass(3600);
        Assert.Equal((1, 1), (_time.Fired, _line.Edges));
        Assert.False(_time.HasTimer);
    }

    [Fact]
    public void Flags_are_set_without_an_interrupt_too_and_without_a_timer()
    {
        SetAlarm(0xFF, 0xFF, 0x00);
        Assert.Equal(0, Get(C));
        Pass(0.001);
        Assert.Equal(Periodic, Get(C));
        Pass(1);
        Assert.False(_time.HasTimer);
        Assert.Equal(Periodic | Update | Alarm, Get(C));
        Assert.Equal(0, Get(C));
        Assert.Equal((0, 0), (_time.Fired, _line.Edges));
    }

    [Fact]
    public void What_is_pending_interrupts_as_soon_as_it_is_enabled_and_no_longer_than_that()
    {
        Pass(1);
        Put(B, Hours24 | Update);
        Assert.True(_line.Asserted);
        Put(B, Hours24 | Alarm);
        Assert.False(_line.Asserted);
        Assert.Equal(Periodic | Update, Get(C));
    }

    [Fact]
    public void No_timer_runs_any_more_when_the_last_interrupt_is_disabled()
    {
        Put(B, Hours24 | Update);
        Assert.True(_time.HasTimer);
        Put(B, Hours24);
        Assert.False(_time.HasTimer);
    }

    [Fact]
    public void Setting_the_time_is_no_update_and_meets_no_alarm()
    {
        SetAlarm(0x20, 0xFF, 0xFF);
        Get(C);
        Put(A, 0x20);
        Put(B, Hours24 | Alarm | Update | Set);
        Assert.Equal(Hours24 | Alarm | Set, Get(B));
        Pass(10);
        foreach (var (cell, value) in new (byte, byte)[] { (4, 0x21), (2, 0x00), (0, 0x00) })
            Put(cell, value);
        Put(B, Hours24 | Alarm);
        Assert.Equal(0, Get(C));
        // Nor does one register, set while the clock runs.
        Put(4, 0x22);
        Assert.Equal(0, Get(C));
    }

    [Fact]
    public void With_the_divider_held_nothing_happens()
    {
        Put(A, 0x76);
        Put(B, Hours24 | Periodic | Update);
        Get(C);
        Pass(5);
        Assert.Equal(0, Get(C));
        Assert.False(_time.HasTimer);
    }

    [Fact]
    public void An_alarm_that_the_hosts_clock_has_jumped_over_comes_late_and_one_from_before_does_not_come_again()
    {
        HandleInterrupts();
        SetAlarm(0x19, 0x30, 0x00);
        Put(B, Hours24 | Alarm);
        Pass(0.5);
        _time.Set = TimeSpan.FromHours(1);
        Pass(0.5);
        Assert.Equal(1, _line.Edges);
        _time.Set = TimeSpan.FromHours(48);
        Pass(1);
        Assert.Equal(2, _line.Edges);
        _time.Set = TimeSpan.FromMinutes(30);
        Pass(1);
        Assert.Equal(2, _line.Edges);
    }

    [Fact]
    public void Nothing_comes_after_the_machine_is_gone()
    {
        Put(B, Hours24 | Update);
        _clock.Dispose();
        Pass(5);
        Put(B, Hours24 | Periodic);
        Pass(5);
        Assert.Equal(0, _time.Fired);
    }

    [Fact]
    public void Interrupts_allocate_nothing()
    {
        HandleInterrupts();
        SetAlarm(0xFF, 0xFF, 0xFF);
        Put(B, Hours24 | Periodic | Alarm | Update);
        Pass(1);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            Put(B, Hours24);
            Put(B, Hours24 | Periodic | Alarm | Update);
            Get(C);
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    // As a guest does.
    private void HandleInterrupts() => _time.AfterTimer = () =>
    {
        if (_line.Asserted)
            Assert.Equal(0x80, Get(C) & 0x80);
    };

    private void SetAlarm(byte hours, byte minutes, byte seconds)
    {
        Put(HoursAlarm, hours);
        Put(MinutesAlarm, minutes);
        Put(SecondsAlarm, seconds);
    }

    private void Pass(double seconds) => _time.Elapsed += TimeSpan.FromSeconds(seconds);

    private byte Get(byte register)
    {
        _clock.Write(0, AccessWidth.Byte, register);
        return (byte)_clock.Read(1, AccessWidth.Byte);
    }

    private void Put(byte register, byte value)
    {
        _clock.Write(0, AccessWidth.Byte, register);
        _clock.Write(1, AccessWidth.Byte, value);
    }
}
