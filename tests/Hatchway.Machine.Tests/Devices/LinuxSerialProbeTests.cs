using Hatchway.Machine.Devices;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Devices;

/// <summary>The accesses by which Linux's driver identifies the port (drivers/tty/serial/8250/8250_port.c).</summary>
public sealed class LinuxSerialProbeTests
{
    private readonly FakeSink _sink = new();
    private readonly FakeLine _line = new();
    private readonly Uart16550 _uart;

    public LinuxSerialProbeTests() => _uart = new Uart16550(_sink, _line);

    [Fact]
    public void There_is_a_port_because_four_bits_of_IER_and_no_more_can_be_set()
    {
        Out(1, 0);
        Assert.Equal(0, In(1));
        Out(1, 0xFF);
        Assert.Equal(0x0F, In(1));
    }

    [Fact]
    public void The_scratch_register_keeps_what_is_written()
    {
        Out(7, 0xA5);
        Assert.Equal(0xA5, In(7));
        Out(7, 0x5A);
        Assert.Equal(0x5A, In(7));
    }

    [Fact]
    public void Loopback_shows_RTS_and_OUT2_as_CTS_and_DCD()
    {
        Out(4, 0x10 | 0x0A);
        Assert.Equal(0x90, In(6) & 0xF0);
    }

    [Fact]
    public void The_FIFO_test_finds_a_16550A()
    {
        Out(3, 0xBF);
        Out(2, 0);
        Out(3, 0);
        Out(2, 0x01);
        Assert.Equal(0xC0, In(2) & 0xC0);
    }

    [Fact]
    public void It_is_none_of_the_16550As_relatives()
    {
        Out(2, 0x01);
        // A 16C650 or 16C950 has an extended feature register in place of this interrupt identification: it would read as zero.
        Out(3, 0x80);
        Assert.NotEqual(0, In(2));
        Out(3, 0xBF);
        Assert.NotEqual(0, In(2));
        // National's super-I/O chips show the loopback bit in a register of bank 2.
        Out(3, 0xE0);
        Assert.Equal(0, In(2) & 0x10);
        // A 16750 has a 64-byte FIFO, and shows it in bit 5.
        Out(3, 0);
        Out(2, 0x21);
        Assert.Equal(6, In(2) >> 5);
        Out(2, 0x01);
        Out(3, 0x80);
        Out(2, 0x21);
        Assert.Equal(6, In(2) >> 5);
        // XScale's UART has a unit enable bit in IER.
        Out(3, 0);
        Out(1, 0x40);
        Assert.Equal(0, In(1));
    }

    [Fact]
    public void Starting_up_finds_no_bug_in_the_transmit_interrupt()
    {
        Out(2, 0x01);
        Out(2, 0x07);
        Out(2, 0x00);
        Assert.NotEqual(0xFF, In(5));
        In(0);
        In(2);
        In(6);
        Out(3, 0x03);
        // UART_BUG_THRE: enabling the interrupt a second time must raise it again.
        Out(1, 2);
        In(2);
        Out(1, 0);
        Out(1, 2);
        Assert.Equal(0, In(2) & 1);
        Out(1, 0);
        // UART_BUG_TXEN: an empty transmitter must interrupt as soon as the interrupt is enabled.
        Out(4, 8);
        Out(1, 2);
        Assert.Equal(0x40, In(5) & 0x40);
        Assert.Equal(0, In(2) & 1);
        Out(1, 0);
        Assert.False(_line.Asserted);
        Assert.Empty(_sink.Bytes);
    }

    private byte In(ulong port) => (byte)_uart.Read(port, AccessWidth.Byte);

    private void Out(ulong port, byte value) => _uart.Write(port, AccessWidth.Byte, value);
}
