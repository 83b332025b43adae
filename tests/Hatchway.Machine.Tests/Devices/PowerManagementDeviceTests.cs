using Hatchway.Machine.Devices;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Devices;

public sealed class PowerManagementDeviceTests : IDisposable
{
    private const ulong Status = 0, Enable = 2, Control = 4, Timer = 8;
    private const ushort TimerCarry = 1 << 0, PowerButton = 1 << 8;

    private readonly FakePower _power = new();
    private readonly FakeLine _sci = new();
    private readonly FakeTime _time = new(DateTimeOffset.UnixEpoch);
    private readonly PowerManagementDevice _device;

    public PowerManagementDeviceTests() => _device = new PowerManagementDevice(_power, _sci, _time);

    public void Dispose() => _device.Dispose();

    [Fact]
    public void The_machine_is_in_ACPI_mode_and_stays_in_it()
    {
        Assert.Equal(1, Get(Control));
        Put(Control, 0);
        Assert.Equal(1, Get(Control));
    }

    [Fact]
    public void S5_switches_off()
    {
        // As ACPICA does: the sleep type first, then the type with SLP_EN.
        Put(Control, 1);
        Assert.Empty(_power.Requests);
        Put(Control, (1 << 13) | 1);
        Assert.Equal([PowerEvent.PowerOff], _power.Requests);
        Assert.Equal(1, Get(Control));
    }

    [Fact]
    public void The_upper_byte_alone_switches_off_too()
    {
        _device.Write(Control + 1, AccessWidth.Byte, 1 << 5);
        Assert.Equal([PowerEvent.PowerOff], _power.Requests);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(7)]
    public void Other_sleep_types_do_nothing(ushort type)
    {
        Put(Control, (ushort)((type << 10) | (1 << 13)));
        Assert.Empty(_power.Requests);
        Assert.Equal((type << 10) | 1, Get(Control));
    }

    [Fact]
    public void The_power_button_interrupts_until_its_status_is_cleared()
    {
        Put(Enable, PowerButton);
        _device.PressPowerButton();
        Assert.True(_sci.Asserted);
        Assert.Equal(PowerButton, Get(Status));
        Put(Status, 1 << 4);
        Assert.True(_sci.Asserted);
        Put(Status, PowerButton);
        Assert.False(_sci.Asserted);
        Assert.Equal(0, Get(Status));
    }

    [Fact]
    public void A_press_before_anybody_listens_is_kept()
    {
        _device.PressPowerButton();
        Assert.False(_sci.Asserted);
        Put(Enable, PowerButton);
        Assert.True(_sci.Asserted);
        Put(Enable, 0);
        Assert.False(_sci.Asserted);
    }

    [Fact]
    public void Only_events_that_ACPICA_must_be_able_to_enable_can_be()
    {
        Put(Enable, 0xFFFF);
        Assert.Equal(0x0521, Get(Enable));
    }

    [Fact]
    public void Status_and_enable_can_be_read_as_one_dword()
    {
        Put(Enable, PowerButton);
        _device.PressPowerButton();
        Assert.Equal(0x0100_0100ul, _device.Read(Status, AccessWidth.Dword));
        // Writing the value back clears the status bits that were set.
        _device.Write(Status, AccessWidth.Dword, 0x0100_0100);
        Assert.Equal(0x0100_0000ul, _device.Read(Status, AccessWidth.Dword));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1_000, 3_579_545)]
    [InlineData(4_687, 3_579_545 * 4.687 % 0x100_0000)]
    [InlineData(3_600_000, 3_579_545L * 3600 % 0x100_0000)]
    public void The_timer_counts_24_bits_at_3_579545_MHz(int milliseconds, double ticks)
    {
        _time.Elapsed = TimeSpan.FromMilliseconds(milliseconds);
        Assert.Equal((ulong)ticks, _device.Read(Timer, AccessWidth.Dword));
        Assert.Equal((ulong)ticks >> 16, _device.Read(Timer + 2, AccessWidth.Byte));
    }

    [Fact]
    public void The_timer_can_not_be_written_and_the_gaps_read_as_zero()
    {
        _device.Write(Timer, AccessWidth.Qword, ulong.MaxValue);
        Assert.Equal(0ul, _device.Read(Timer, AccessWidth.Qword));
        Assert.Equal(0ul, _device.Read(6, AccessWidth.Word));
    }

    [Fact]
    public void The_timers_status_is_set_by_each_change_of_its_highest_bit_without_a_timer_of_the_hosts()
    {
        Pass(2.343);
        Assert.Equal(0, Get(Status));
        Pass(0.001);
        Assert.Equal(TimerCarry, Get(Status));
        Assert.Equal(0x80_0000ul, _device.Read(Timer, AccessWidth.Dword) & 0x80_0000);
        Put(Status, TimerCarry);
        Assert.Equal(0, Get(Status));
        Pass(2.342);
        Assert.Equal(0, Get(Status));
        Pass(0.001);
        Assert.Equal(TimerCarry, Get(Status));
        // One that nobody has looked at is cleared, too.
        Pass(2.4);
        Put(Status, TimerCarry);
        Assert.Equal(0, Get(Status));
        Assert.Equal((0, 0), (_time.Fired, _sci.Edges));
    }

    [Fact]
    public void The_timer_interrupts_when_its_highest_bit_changes_and_again_when_that_was_seen()
    {
        Put(Enable, TimerCarry);
        Pass(2.343);
        Assert.False(_sci.Asserted);
        Pass(0.002);
        Assert.True(_sci.Asserted);
        Pass(60);
        Assert.Equal((1, 1), (_time.Fired, _sci.Edges));
        Put(Status, TimerCarry);
        Assert.False(_sci.Asserted);
        Pass(2.345);
        Assert.True(_sci.Asserted);
        Put(Enable, 0);
        Assert.False(_sci.Asserted);
        Put(Status, TimerCarry);
        Assert.False(_time.HasTimer);
    }

    [Fact]
    public void The_timer_interrupts_nobody_when_the_machine_is_gone()
    {
        Put(Enable, TimerCarry);
        _device.Dispose();
        Pass(5);
        Put(Enable, TimerCarry);
        Pass(5);
        Assert.Equal(0, _time.Fired);
    }

    private void Pass(double seconds) => _time.Elapsed += TimeSpan.FromSeconds(seconds);

    private ushort Get(ulong offset) => (ushort)_device.Read(offset, AccessWidth.Word);

    private void Put(ulong offset, ushort value) => _device.Write(offset, AccessWidth.Word, value);
}
