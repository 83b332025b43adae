using Hatchway.Machine.Devices;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Devices;

public sealed class RealTimeClockTests : IDisposable
{
    private const byte A = 10, B = 11, D = 13;

    // A Saturday.
    private readonly FakeTime _time = new(new DateTimeOffset(2026, 11, 21, 19, 5, 59, TimeSpan.Zero));
    private readonly RealTimeClock _clock;

    public RealTimeClockTests() => _clock = new RealTimeClock(_time, new FakeLine());

    public void Dispose() => _clock.Dispose();

    [Fact]
    public void The_date_is_UTC_in_BCD_and_24_hours()
    {
        Assert.Equal([0x20, 0x26, 0x11, 0x21, 0x07, 0x19, 0x05, 0x59], Now());
        Assert.Equal(0x02, Get(B));
        Assert.Equal(0x80, Get(D));
    }

    [Fact]
    public void In_local_time_it_is_ahead_of_UTC()
    {
        using var local = new RealTimeClock(_time, new FakeLine(), TimeSpan.FromHours(5.5));
        byte Cell(byte index)
        {
            local.Write(0, AccessWidth.Byte, index);
            return (byte)local.Read(1, AccessWidth.Byte);
        }

        // Past midnight: the 22nd, 00:35:59.
        Assert.Equal([0x22, 0x00, 0x35, 0x59], (byte[])[Cell(7), Cell(4), Cell(2), Cell(0)]);
    }

    [Fact]
    public void The_clock_goes_on()
    {
        _time.Elapsed = TimeSpan.FromSeconds(2);
        Assert.Equal([0x20, 0x26, 0x11, 0x21, 0x07, 0x19, 0x06, 0x01], Now());
    }

    [Fact]
    public void Binary_and_12_hours_are_the_guests_choice()
    {
        Put(B, 0x04);
        Assert.Equal([20, 26, 11, 21, 7, 0x80 | 7, 5, 59], Now());
        Put(B, 0x00);
        Assert.Equal(0x87, Get(4));
        _time.Elapsed = TimeSpan.FromHours(5);
        Assert.Equal(0x12, Get(4));
        _time.Elapsed = TimeSpan.FromHours(17);
        Assert.Equal(0x92, Get(4));
    }

    [Fact]
    public void An_update_is_announced_before_the_second_changes()
    {
        Assert.Equal(0x26, Get(A));
        _time.Elapsed = TimeSpan.FromMilliseconds(997);
        Assert.Equal(0x26, Get(A));
        _time.Elapsed = TimeSpan.FromMilliseconds(998);
        Assert.Equal(0xA6, Get(A));
        Assert.Equal(0x59, Get(0));
        _time.Elapsed = TimeSpan.FromMilliseconds(1000);
        Assert.Equal(0x26, Get(A));
        Assert.Equal(0x00, Get(0));
    }

    [Fact]
    public void Linux_sets_the_clock_and_the_next_second_is_half_a_second_away()
    {
        _time.Elapsed = TimeSpan.FromMilliseconds(100);
        var control = Get(B);
        Put(B, (byte)(control | 0x80));
        var divider = Get(A);
        Put(A, (byte)(divider | 0x70));
        Set(0x19, 0x99, 0x12, 0x31, 0x06, 0x23, 0x59, 0x59);
        _time.Elapsed = TimeSpan.FromMilliseconds(900);
        Assert.Equal(0x59, Get(0));
        Put(B, control);
        Put(A, divider);
        _time.Elapsed = TimeSpan.FromMilliseconds(1390);
        Assert.Equal([0x19, 0x99, 0x12, 0x31, 0x06, 0x23, 0x59, 0x59], Now());
        _time.Elapsed = TimeSpan.FromMilliseconds(1400);
        Assert.Equal([0x20, 0x00, 0x01, 0x01, 0x07, 0x00, 0x00, 0x00], Now());
    }

    [Fact]
    public void Without_the_dividers_reset_the_fraction_of_the_second_is_kept()
    {
        _time.Elapsed = TimeSpan.FromMilliseconds(900);
        Put(B, 0x82);
        Set(0x20, 0x30, 0x01, 0x02, 0x04, 0x03, 0x04, 0x05);
        Put(B, 0x02);
        Assert.Equal(0x05, Get(0));
        _time.Elapsed = TimeSpan.FromMilliseconds(1000);
        Assert.Equal(0x06, Get(0));
    }

    [Fact]
    public void While_it_is_set_the_clock_stands_still_and_announces_no_update()
    {
        Put(B, 0x82);
        _time.Elapsed = TimeSpan.FromMilliseconds(999);
        Assert.Equal(0x26, Get(A));
        _time.Elapsed = TimeSpan.FromSeconds(10);
        Assert.Equal(0x59, Get(0));
    }

    [Fact]
    public void One_register_may_be_set_while_the_clock_runs()
    {
        Put(4, 0x07);
        Assert.Equal([0x20, 0x26, 0x11, 0x21, 0x07, 0x07, 0x05, 0x59], Now());
    }

    [Fact]
    public void An_afternoon_hour_can_be_set_in_12_hours()
    {
        Put(B, 0x00);
        Put(4, 0x92);
        Put(B, 0x02);
        Assert.Equal(0x12, Get(4));
    }

    [Theory]
    [InlineData(7, 0x32)]
    [InlineData(7, 0x00)]
    [InlineData(8, 0x13)]
    [InlineData(4, 0x24)]
    [InlineData(0, 0x60)]
    [InlineData(0x32, 0xFF)]
    [InlineData(0x32, 0x00)]
    public void What_is_no_date_is_ignored(byte register, byte value)
    {
        var before = Now();
        Put(register, value);
        Assert.Equal(before, Now());
    }

    [Fact]
    public void The_rest_is_RAM_and_the_NMI_bit_is_no_part_of_the_index()
    {
        Put(0x40, 0x5A);
        Put(0x7F, 0xA5);
        Assert.Equal(0x5A, Get(0x80 | 0x40));
        Assert.Equal(0xA5, Get(0x7F));
        Put(D, 0x00);
        Assert.Equal(0x80, Get(D));
    }

    [Fact]
    public void A_word_access_writes_index_and_data()
    {
        _clock.Write(0, AccessWidth.Word, 0x3340);
        Assert.Equal(0x33FFul, _clock.Read(0, AccessWidth.Word));
    }

    private byte[] Now() => [Get(0x32), Get(9), Get(8), Get(7), Get(6), Get(4), Get(2), Get(0)];

    private void Set(params byte[] values)
    {
        byte[] registers = [0x32, 9, 8, 7, 6, 4, 2, 0];
        for (var i = 0; i < registers.Length; i++)
            Put(registers[i], values[i]);
    }

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
