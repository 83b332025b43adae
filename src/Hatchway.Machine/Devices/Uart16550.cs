using Hatchway.Pci.Address;

namespace Hatchway.Machine.Devices;

/// <summary>A serial port with a 16-byte receive FIFO: National Semiconductor PC16550D, as a PC wires it.</summary>
/// <remarks>
/// <para>There is no wire and so no baud rate: a transmitted byte is at the sink before the write returns, and the transmitter is always
/// empty. For the same reason a character timeout has always passed: received bytes below the trigger level interrupt at once, with the
/// timeout's code.</para>
/// <para>A modem is always present (CTS, DSR and DCD). Break, parity and framing errors can't happen.</para>
/// <para>Registers may be accessed from several vCPU threads at once.</para>
/// </remarks>
public sealed class Uart16550 : IAddressTarget, IByteRegisters, ICharacterInput
{
    /// <summary>The number of ports.</summary>
    public const int PortCount = 8;

    // Offsets from the first port (PC16550D, "Summary of Registers"). While DLAB is set, the first two are the divisor.
    private enum Register
    {
        Data = 0,
        InterruptEnable = 1,
        InterruptIdentification = 2,
        LineControl = 3,
        ModemControl = 4,
        LineStatus = 5,
        ModemStatus = 6,
        Scratch = 7,
    }

    // Bits 3:0 of the interrupt identification register (PC16550D, "Interrupt Identification Register").
    private enum Interrupt : byte
    {
        ModemStatus = 0x0,
        None = 0x1,
        TransmitterEmpty = 0x2,
        Received = 0x4,
        LineStatus = 0x6,
        CharacterTimeout = 0xC,
    }

    private const int FifoSize = 16;
    private const byte EnableReceived = 0x01;
    private const byte EnableTransmitterEmpty = 0x02;
    private const byte EnableLineStatus = 0x04;
    private const byte EnableModemStatus = 0x08;
    private const byte EnableMask = 0x0F;
    private const byte IdentificationFifos = 0xC0;
    private const byte FifoControlEnable = 0x01;
    private const byte FifoControlClearReceiver = 0x02;
    private const byte FifoControlTrigger = 0xC0;
    private const byte LineControlDivisorLatch = 0x80;
    private const byte ModemControlOut2 = 0x08;
    private const byte ModemControlLoopback = 0x10;
    private const byte ModemControlMask = 0x1F;
    private const byte LineStatusDataReady = 0x01;
    private const byte LineStatusOverrun = 0x02;
    private const byte LineStatusTransmitterEmpty = 0x60; // THRE and TEMT
    private const byte ModemLineClearToSend = 0x10;
    private const byte ModemLineDataSetReady = 0x20;
    private const byte ModemLineRing = 0x40;
    private const byte ModemLineCarrier = 0x80;

    private static ReadOnlySpan<byte> TriggerLevels => [1, 4, 8, 14];

    // DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD.
    private static readonly (byte Output, byte Input)[] LoopbackWires =
    [
        (0x01, ModemLineDataSetReady),
        (0x02, ModemLineClearToSend),
        (0x04, ModemLineRing),
        (ModemControlOut2, ModemLineCarrier),
    ];

    private readonly ICharacterSink _sink;
    private readonly IInterruptLine _line;
    private readonly Action? _drained;

    // Guards the fields below. The interrupt line is driven under it, so that levels arrive in the order in which they were computed; the
    // sink and the callback are called outside it.
    private readonly Lock _lock = new();
    private readonly byte[] _fifo = new byte[FifoSize];
    private int _fifoHead;
    private int _fifoCount;
    private bool _overrun;
    private bool _transmitterEmptied;
    private bool _asserted;
    private bool _hostHasMore;
    private byte _interruptEnable;
    private byte _fifoControl;
    private byte _lineControl;
    private byte _modemControl;
    private byte _modemDelta;
    private byte _scratch;
    private byte _divisorLow = 12;
    private byte _divisorHigh;

    /// <summary>Makes a serial port as it is after a reset, with the divisor of 9600 baud.</summary>
    /// <param name="sink">Where transmitted bytes go.</param>
    /// <param name="line">The interrupt.</param>
    /// <param name="drained">
    /// Called on a vCPU's thread, with no lock held, when <see cref="Receive"/> took less than it was offered and there is room again. The
    /// call comes only after that <see cref="Receive"/> has decided how much it takes; so a reader that waits for an event set here, one
    /// that stays set until the reader waits, never sleeps through it. It must not throw.
    /// </param>
    public Uart16550(ICharacterSink sink, IInterruptLine line, Action? drained = null)
    {
        ArgumentNullException.ThrowIfNull(sink);
        ArgumentNullException.ThrowIfNull(line);
        (_sink, _line, _drained) = (sink, line, drained);
    }

    /// <summary>Offers bytes to the guest, from the host's side. Any thread.</summary>
    /// <returns>How many it took: as many as fit the FIFO, or the single receive buffer without it; none in loopback.</returns>
    public int Receive(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            var taken = Loopback ? 0 : Math.Min(bytes.Length, Capacity - _fifoCount);
            foreach (var value in bytes[..taken])
                Enqueue(value);
            if (taken < bytes.Length)
                _hostHasMore = true;
            UpdateLine();
            return taken;
        }
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width) => ByteRegisters.Read(this, offset, width);

    /// <inheritdoc/>
    public void Write(ulong offset, AccessWidth width, ulong value) => ByteRegisters.Write(this, offset, width, value);

    byte IByteRegisters.ReadRegister(int port)
    {
        byte value;
        bool tell;
        lock (_lock)
        {
            value = ReadLocked((Register)port);
            UpdateLine();
            tell = TakeDrained();
        }
        if (tell)
            _drained?.Invoke();
        return value;
    }

    void IByteRegisters.WriteRegister(int port, byte value)
    {
        var register = (Register)port;
        bool transmit;
        var tell = false;
        lock (_lock)
        {
            transmit = register == Register.Data && !DivisorLatch && !Loopback;
            if (!transmit)
            {
                WriteLocked(register, value);
                UpdateLine();
                tell = TakeDrained();
            }
        }
        if (tell)
            _drained?.Invoke();
        if (transmit)
            Transmit(value);
    }

    // The byte must be at the sink before the interrupt asks for the next one, which another vCPU may send at once.
    private void Transmit(byte value)
    {
        _sink.Write([value]);
        lock (_lock)
        {
            _transmitterEmptied = true;
            UpdateLine();
        }
    }

    private bool DivisorLatch => (_lineControl & LineControlDivisorLatch) != 0;

    private bool Loopback => (_modemControl & ModemControlLoopback) != 0;

    private bool FifoEnabled => (_fifoControl & FifoControlEnable) != 0;

    private int Capacity => FifoEnabled ? FifoSize : 1;

    private byte ReadLocked(Register register)
    {
        switch (register)
        {
            case Register.Data:
                return DivisorLatch ? _divisorLow : Dequeue();
            case Register.InterruptEnable:
                return DivisorLatch ? _divisorHigh : _interruptEnable;
            case Register.InterruptIdentification:
                var source = PendingInterrupt();
                // Reading this register acknowledges only this source; the others are acknowledged at their own registers.
                if (source == Interrupt.TransmitterEmpty)
                    _transmitterEmptied = false;
                return (byte)((byte)source | (FifoEnabled ? IdentificationFifos : 0));
            case Register.LineControl:
                return _lineControl;
            case Register.ModemControl:
                return _modemControl;
            case Register.LineStatus:
                return ReadLineStatus();
            case Register.ModemStatus:
                return ReadModemStatus();
            default:
                return _scratch;
        }
    }

    // Reading either status register clears what it reports once: the overrun, or the changes of the modem's lines.
    private byte ReadLineStatus()
    {
        var status = LineStatusTransmitterEmpty | (_fifoCount > 0 ? LineStatusDataReady : 0) | (_overrun ? LineStatusOverrun : 0);
        _overrun = false;
        return (byte)status;
    }

    private byte ReadModemStatus()
    {
        var status = (byte)(ModemLines() | _modemDelta);
        _modemDelta = 0;
        return status;
    }

    private void WriteLocked(Register register, byte value)
    {
        switch (register)
        {
            case Register.Data when DivisorLatch:
                _divisorLow = value;
                break;
            case Register.Data:
                LoopBack(value);
                break;
            case Register.InterruptEnable when DivisorLatch:
                _divisorHigh = value;
                break;
            case Register.InterruptEnable:
                // Enabling the interrupt while the transmitter is empty raises it at once; drivers start transmission that way.
                if ((value & ~_interruptEnable & EnableTransmitterEmpty) != 0)
                    _transmitterEmptied = true;
                _interruptEnable = (byte)(value & EnableMask);
                break;
            case Register.InterruptIdentification:
                WriteFifoControl(value);
                break;
            case Register.LineControl:
                _lineControl = value;
                break;
            case Register.ModemControl:
                WriteModemControl(value);
                break;
            case Register.Scratch:
                _scratch = value;
                break;
            default:
                // Line status and modem status: writes are for factory tests only.
                break;
        }
    }

    private void WriteFifoControl(byte value)
    {
        var toggled = ((value ^ _fifoControl) & FifoControlEnable) != 0;
        // The other bits take effect only together with the enable bit (PC16550D, "FIFO Control Register").
        _fifoControl = (value & FifoControlEnable) != 0 ? (byte)(value & (FifoControlEnable | FifoControlTrigger)) : (byte)0;
        if (toggled || (FifoEnabled && (value & FifoControlClearReceiver) != 0))
            (_fifoHead, _fifoCount) = (0, 0);
    }

    private void WriteModemControl(byte value)
    {
        var before = ModemLines();
        _modemControl = (byte)(value & ModemControlMask);
        var after = ModemLines();
        // CTS, DSR and DCD report any change, RI only the end of ringing (PC16550D, "Modem Status Register").
        var changed = (before ^ after) & ~ModemLineRing;
        changed |= before & ~after & ModemLineRing;
        _modemDelta |= (byte)(changed >> 4);
    }

    // In loopback the modem's lines are the UART's own outputs (PC16550D, "Modem Control Register"); otherwise a modem is present, and its
    // line does not ring.
    private byte ModemLines()
    {
        if (!Loopback)
            return ModemLineClearToSend | ModemLineDataSetReady | ModemLineCarrier;
        var lines = 0;
        foreach (var (output, input) in LoopbackWires)
            lines |= (_modemControl & output) != 0 ? input : 0;
        return (byte)lines;
    }

    private void LoopBack(byte value)
    {
        if (_fifoCount < Capacity)
        {
            Enqueue(value);
        }
        else
        {
            _overrun = true;
            // The FIFO keeps its content and the new byte is lost; without it, the new byte overwrites the buffer (PC16550D, "Line Status
            // Register").
            if (!FifoEnabled)
                _fifo[_fifoHead] = value;
        }
        _transmitterEmptied = true;
    }

    private void Enqueue(byte value)
    {
        _fifo[(_fifoHead + _fifoCount) % FifoSize] = value;
        _fifoCount++;
    }

    private byte Dequeue()
    {
        if (_fifoCount == 0)
            return 0;
        var value = _fifo[_fifoHead];
        _fifoHead = (_fifoHead + 1) % FifoSize;
        _fifoCount--;
        return value;
    }

    // Calls back only when the FIFO is empty, so that a reader wakes once for a FIFO and not for each byte.
    private bool TakeDrained()
    {
        if (!_hostHasMore || _fifoCount > 0 || Loopback)
            return false;
        _hostHasMore = false;
        return true;
    }

    // The highest priority first (PC16550D, "Interrupt Identification Register").
    private Interrupt PendingInterrupt()
    {
        if ((_interruptEnable & EnableLineStatus) != 0 && _overrun)
            return Interrupt.LineStatus;
        if ((_interruptEnable & EnableReceived) != 0 && _fifoCount > 0)
            return !FifoEnabled || _fifoCount >= TriggerLevels[_fifoControl >> 6] ? Interrupt.Received : Interrupt.CharacterTimeout;
        if ((_interruptEnable & EnableTransmitterEmpty) != 0 && _transmitterEmptied)
            return Interrupt.TransmitterEmpty;
        return (_interruptEnable & EnableModemStatus) != 0 && _modemDelta != 0 ? Interrupt.ModemStatus : Interrupt.None;
    }

    // On a PC, OUT2 gates the interrupt, and loopback holds all outputs inactive (PC16550D, "Modem Control Register").
    private void UpdateLine()
    {
        var gate = (_modemControl & (ModemControlOut2 | ModemControlLoopback)) == ModemControlOut2;
        var asserted = gate && PendingInterrupt() != Interrupt.None;
        if (asserted == _asserted)
            return;
        _asserted = asserted;
        _line.Set(asserted);
    }
}
