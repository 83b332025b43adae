using Hatchway.Machine.Devices;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Devices;

/// <summary>The serial port as a driver's interrupt routine and the host's console see it.</summary>
public sealed class Uart16550Tests
{
    private const ulong Data = 0, Ier = 1, Iir = 2, Fcr = 2, Lcr = 3, Mcr = 4, Lsr = 5, Msr = 6, Scr = 7;
    private const byte NoInterrupt = 1, Thre = 2, Received = 4, Timeout = 0xC, LineStatus = 6;
    private const byte Out2 = 8, Loop = 0x10;

    private readonly FakeSink _sink = new();
    private readonly FakeLine _line = new();
    private readonly Uart16550 _uart;
    private int _drained;

    public Uart16550Tests() => _uart = new Uart16550(_sink, _line, () => _drained++);

    [Fact]
    public void What_is_transmitted_is_at_the_sink_at_once()
    {
        foreach (var value in "ok\n"u8)
            Out(Data, value);
        Assert.Equal("ok\n"u8.ToArray(), _sink.Bytes);
        Assert.Equal(0x60, In(Lsr));
    }

    [Fact]
    public void With_the_divisor_latch_open_the_first_two_ports_are_the_divisor()
    {
        Out(Lcr, 0x83);
        Out(Data, 0x01);
        Out(Ier, 0x02);
        Assert.Equal(0x0201ul, _uart.Read(0, AccessWidth.Word));
        Out(Lcr, 0x03);
        Assert.Empty(_sink.Bytes);
        Assert.Equal(0, In(Ier));
    }

    [Fact]
    public void Enabling_the_transmit_interrupt_raises_it_and_reading_its_cause_takes_it_back()
    {
        Out(Mcr, Out2);
        Out(Ier, 2);
        Assert.True(_line.Asserted);
        Assert.Equal(Thre, In(Iir));
        Assert.False(_line.Asserted);
        Assert.Equal(NoInterrupt, In(Iir));
        Out(Ier, 0);
        Out(Ier, 2);
        Assert.Equal(2, _line.Edges);
        Assert.Equal(Thre, In(Iir));
    }

    [Fact]
    public void A_transmitted_byte_raises_the_transmit_interrupt_again()
    {
        Out(Mcr, Out2);
        Out(Ier, 2);
        In(Iir);
        Out(Data, (byte)'x');
        Assert.Equal(2, _line.Edges);
        Assert.Equal(Thre, In(Iir));
    }

    [Fact]
    public void The_byte_is_at_the_sink_before_the_interrupt_asks_for_the_next()
    {
        Out(Mcr, Out2);
        Out(Ier, 2);
        In(Iir);
        var assertedAtSink = true;
        _sink.OnWrite = () => assertedAtSink = _line.Asserted;
        Out(Data, (byte)'x');
        Assert.False(assertedAtSink);
        Assert.True(_line.Asserted);
    }

    [Fact]
    public void A_received_byte_interrupts_until_it_is_read()
    {
        Out(Mcr, Out2);
        Out(Ier, 1);
        Assert.Equal(1, _uart.Receive("a"u8));
        Assert.True(_line.Asserted);
        Assert.Equal(Received, In(Iir));
        Assert.Equal(0x61, In(Lsr));
        Assert.Equal((byte)'a', In(Data));
        Assert.False(_line.Asserted);
        Assert.Equal(0x60, In(Lsr));
    }

    [Theory]
    [InlineData(0x01, 1)]
    [InlineData(0x41, 4)]
    [InlineData(0x81, 8)]
    [InlineData(0xC1, 14)]
    public void Below_the_trigger_level_the_cause_is_the_timeout_and_from_it_on_the_level(byte fifoControl, int level)
    {
        Out(Mcr, Out2);
        Out(Fcr, fifoControl);
        Out(Ier, 1);
        for (var i = 1; i <= 16; i++)
        {
            _uart.Receive([(byte)i]);
            Assert.Equal(0xC0 | (i < level ? Timeout : Received), In(Iir));
        }
    }

    [Fact]
    public void Without_OUT2_the_interrupt_does_not_leave_the_chip()
    {
        Out(Ier, 3);
        _uart.Receive("a"u8);
        Assert.Equal(Received, In(Iir));
        Assert.False(_line.Asserted);
        Out(Mcr, Out2);
        Assert.True(_line.Asserted);
        Out(Mcr, Out2 | Loop);
        Assert.False(_line.Asserted);
    }

    [Fact]
    public void Causes_are_told_in_the_order_of_their_priority()
    {
        Out(Fcr, 1);
        Out(Mcr, Loop);
        Out(Ier, 0xF);
        Out(Mcr, Loop | 2);
        for (var i = 0; i < 17; i++)
            Out(Data, (byte)i);
        Assert.Equal(0xC0 | LineStatus, In(Iir));
        Assert.Equal(0x63, In(Lsr));
        Assert.Equal(0xC0 | Received, In(Iir));
        for (var i = 0; i < 16; i++)
            Assert.Equal(i, In(Data));
        Assert.Equal(0xC0 | Thre, In(Iir));
        Assert.Equal(0xC0, In(Iir));
        In(Msr);
        Assert.Equal(0xC0 | NoInterrupt, In(Iir));
    }

    [Fact]
    public void Without_the_FIFO_an_overrun_replaces_the_byte()
    {
        Out(Mcr, Loop);
        Out(Data, 1);
        Out(Data, 2);
        Assert.Equal(0x63, In(Lsr));
        Assert.Equal(0x61, In(Lsr));
        Assert.Equal(2, In(Data));
    }

    [Fact]
    public void Modem_status_tells_a_change_once()
    {
        Out(Mcr, Loop | 0xF);
        In(Msr);
        Out(Mcr, Loop);
        // All four lines fell: three changes, and the trailing edge of ring.
        Assert.Equal(0x0F, In(Msr));
        Assert.Equal(0x00, In(Msr));
        Out(Mcr, Loop | 4);
        // The leading edge of ring is no event.
        Assert.Equal(0x40, In(Msr));
    }

    [Fact]
    public void Receive_takes_what_fits_and_the_callback_comes_once_when_all_of_it_is_read()
    {
        Out(Fcr, 1);
        Assert.Equal(16, _uart.Receive(new byte[20]));
        Assert.Equal(0, _uart.Receive(new byte[4]));
        for (var i = 0; i < 15; i++)
            In(Data);
        Assert.Equal(0, _drained);
        In(Data);
        Assert.Equal(1, _drained);
        Assert.Equal(4, _uart.Receive(new byte[4]));
        for (var i = 0; i < 4; i++)
            In(Data);
        Assert.Equal(1, _drained);
    }

    [Fact]
    public void The_callback_may_give_the_next_bytes_itself()
    {
        Uart16550? uart = null;
        var rest = "bc"u8.ToArray();
        uart = new Uart16550(_sink, _line, () => rest = rest[uart!.Receive(rest)..]);
        Assert.Equal(1, uart.Receive("ab"u8));
        Assert.Equal('a', (char)uart.Read(Data, AccessWidth.Byte));
        Assert.Equal('b', (char)uart.Read(Data, AccessWidth.Byte));
        Assert.Equal('c', (char)uart.Read(Data, AccessWidth.Byte));
        Assert.Empty(rest);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(0)]
    public void Clearing_the_FIFO_drops_what_was_received_and_makes_room(byte fifoControl)
    {
        Out(Fcr, 1);
        _uart.Receive(new byte[20]);
        Out(Fcr, fifoControl);
        Assert.Equal(0x60, In(Lsr));
        Assert.Equal(1, _drained);
    }

    [Fact]
    public void In_loopback_the_wire_is_cut_in_both_directions()
    {
        Out(Mcr, Loop);
        Out(Data, 0x55);
        Assert.Empty(_sink.Bytes);
        Assert.Equal(0, _uart.Receive("a"u8));
        Assert.Equal(0x55, In(Data));
        Assert.Equal(0, _drained);
        Out(Mcr, 0);
        Assert.Equal(1, _drained);
        Assert.Equal(1, _uart.Receive("a"u8));
    }

    [Fact]
    public void A_wide_access_reaches_neighbouring_registers_one_by_one()
    {
        _uart.Write(Mcr, AccessWidth.Dword, 0x5A00_0003);
        Assert.Equal(0x5A, In(Scr));
        Assert.Equal(0x5AB0_6003ul, _uart.Read(Mcr, AccessWidth.Dword));
    }

    [Fact]
    public void Nothing_is_allocated_while_bytes_go_both_ways()
    {
        var uart = new Uart16550(new Sink(), _line);
        uart.Write(Mcr, AccessWidth.Byte, Out2);
        uart.Write(Ier, AccessWidth.Byte, 3);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10_000; i++)
        {
            uart.Receive("a"u8);
            uart.Read(Iir, AccessWidth.Byte);
            uart.Read(Data, AccessWidth.Byte);
            uart.Write(Data, AccessWidth.Byte, 1);
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private byte In(ulong port) => (byte)_uart.Read(port, AccessWidth.Byte);

    private void Out(ulong port, byte value) => _uart.Write(port, AccessWidth.Byte, value);

    private sealed class Sink : ICharacterSink
    {
        public void Write(ReadOnlySpan<byte> bytes)
        {
        }
    }
}
