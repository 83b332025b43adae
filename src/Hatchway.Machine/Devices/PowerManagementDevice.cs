using Hatchway.Pci.Address;

namespace Hatchway.Machine.Devices;

/// <summary>ACPI's fixed hardware: power button, soft off, and the PM timer (ACPI 6.5 §4.8.3).</summary>
/// <remarks>
/// <code>
/// offset  bytes  register                                     ACPI 6.5
/// 0       2      PM1a status, write 1 to clear                §4.8.3.1.1
/// 2       2      PM1a enable                                  §4.8.3.1.2
/// 4       2      PM1a control                                 §4.8.3.2.1
/// 8       4      PM timer, 24 bits at 3.579545 MHz            §4.8.3.3
/// </code>
/// <para>Its first port is the layout's.</para>
/// <para>There is no system management mode and so no SMI command port: the machine is always in ACPI mode, and SCI_EN reads as one. Two
/// events occur: a press of the power button, and a change of the timer's highest bit, which is worked out at the next access; a host timer
/// runs only while that is to interrupt. There is no sleep button and no wake alarm.</para>
/// <para>Any thread. The SCI is level-triggered; the device drives it under its lock, in the order of the changes.</para>
/// </remarks>
public sealed class PowerManagementDevice : IAddressTarget, IDisposable
{
    /// <summary>Offset of the PM1a event block: status and enable, 2 bytes each.</summary>
    public const ushort EventBlock = 0;

    /// <summary>Bytes of the PM1a event block.</summary>
    public const byte EventBlockLength = 4;

    /// <summary>Offset of the PM1a control block.</summary>
    public const ushort ControlBlock = 4;

    /// <summary>Bytes of the PM1a control block.</summary>
    public const byte ControlBlockLength = 2;

    /// <summary>Offset of the PM timer.</summary>
    public const ushort TimerBlock = 8;

    /// <summary>Bytes of the PM timer; its upper 8 bits are zero.</summary>
    public const byte TimerBlockLength = 4;

    /// <summary>How many ports the device decodes.</summary>
    public const int PortCount = 0x10;

    /// <summary>The system control interrupt's GSI: level-triggered.</summary>
    public const uint SciGsi = 9;

    /// <summary>
    /// The SLP_TYP value that means off; the DSDT's <c>\_S5</c> names it. It is the PIIX4's (82371AB data sheet §7.2.3, PMCNTRL), which
    /// edk2's OVMF writes by heart.
    /// </summary>
    public const byte SleepTypeOff = 0;

    /// <summary>Ticks of the PM timer in a second.</summary>
    public const uint TimerFrequency = 3_579_545;

    // Events; status and enable have the same bits.
    private const ushort TimerCarry = 1 << 0;
    private const ushort GlobalLock = 1 << 5;
    private const ushort PowerButton = 1 << 8;

    private const ushort RealTimeClockAlarm = 1 << 10;

    // GBL_EN and RTC_EN are writable because ACPICA reports an error when they are not. Neither event ever comes: no firmware releases the
    // global lock, and the clock's alarm, which has an interrupt of its own, wakes nothing.
    private const ushort EnableMask = TimerCarry | GlobalLock | PowerButton | RealTimeClockAlarm;

    // The control register.
    private const ushort SciEnabled = 1 << 0;
    private const ushort BusMasterReload = 1 << 1;
    private const int SleepTypeShift = 10;
    private const ushort SleepTypeMask = 7 << SleepTypeShift;
    private const ushort SleepEnable = 1 << 13;

    private const uint TimerMask = 0x00FF_FFFF;
    private const int TimerHighestBit = 23;

    private readonly IPowerControl _power;
    private readonly IInterruptLine _sci;
    private readonly TimeProvider _time;
    private readonly ITimer _carryTimer;

    // Guards the registers, the SCI's level and the carry's timer. The power control is called outside it.
    private readonly Lock _lock = new();
    private ushort _status;
    private ushort _enable;
    private ushort _control = SciEnabled;
    private bool _asserted;

    // How often the timer's highest bit had changed at the last look.
    private ulong _changes;
    private bool _isTimed;
    private bool _isDisposed;

    /// <summary>Makes the device as it is after a reset.</summary>
    /// <param name="power">Receives the request to switch off.</param>
    /// <param name="sci">The interrupt, <see cref="SciGsi"/>.</param>
    /// <param name="time">The timer's time base: only its timestamps, and a timer for the interrupt, are used.</param>
    public PowerManagementDevice(IPowerControl power, IInterruptLine sci, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(power);
        ArgumentNullException.ThrowIfNull(sci);
        ArgumentNullException.ThrowIfNull(time);
        (_power, _sci, _time) = (power, sci, time);
        _changes = CountTicks() >> TimerHighestBit;
        _carryTimer = time.CreateTimer(
            static device => ((PowerManagementDevice)device!).OnCarry(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// Presses the power button. An SCI tells the guest if the event is enabled; otherwise the guest finds it in the status register once
    /// it enables it. From the host's side, any thread.
    /// </summary>
    public void PressPowerButton()
    {
        lock (_lock)
        {
            _status |= PowerButton;
            UpdateSci();
        }
    }

    /// <summary>Ends the timer's interrupts.</summary>
    public void Dispose()
    {
        lock (_lock)
            _isDisposed = true;
        _carryTimer.Dispose();
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width)
    {
        // Read once, so that one access sees one value of the timer.
        var ticks = CountTicks();
        ulong low;
        lock (_lock)
        {
            LookAt(ticks);
            low = _status | ((ulong)_enable << 16) | ((ulong)_control << 32);
        }
        var registers = new UInt128(ticks & TimerMask, low);
        return (ulong)(registers >> (8 * (int)offset)) & width.AllOnes();
    }

    /// <inheritdoc/>
    public void Write(ulong offset, AccessWidth width, ulong value)
    {
        // Each byte of a register may be written alone, with the same effect as within the word.
        for (var i = 0; i < (int)width; i++)
            WriteByte((int)offset + i, (byte)(value >> (8 * i)));
    }

    private void WriteByte(int offset, byte value)
    {
        var shift = 8 * (offset & 1);
        var bits = value << shift;
        var kept = ~(0xFF << shift);
        var off = false;
        lock (_lock)
        {
            LookAt(CountTicks());
            switch (offset & ~1)
            {
                case EventBlock:
                    _status &= (ushort)~bits;
                    break;
                case EventBlock + 2:
                    _enable = (ushort)((_enable & kept) | (bits & EnableMask));
                    break;
                case ControlBlock:
                    _control = (ushort)((_control & kept) | (bits & (BusMasterReload | SleepTypeMask)) | SciEnabled);
                    off = (bits & SleepEnable) != 0 && _control >> SleepTypeShift == SleepTypeOff;
                    break;
                default:
                    // The timer is read-only, and there is nothing between the blocks.
                    break;
            }
            UpdateSci();
        }
        if (off)
            _power.Request(PowerEvent.PowerOff);
    }

    private void UpdateSci()
    {
        var asserted = (_status & _enable) != 0;
        if (asserted != _asserted)
        {
            _asserted = asserted;
            _sci.Set(asserted);
        }
        // While the line is up there is nothing to add.
        var isTimed = !asserted && (_enable & TimerCarry) != 0 && !_isDisposed;
        if (isTimed || _isTimed)
            _carryTimer.Change(isTimed ? UntilCarry() : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _isTimed = isTimed;
    }

    private void OnCarry()
    {
        lock (_lock)
        {
            if (_isDisposed)
                return;
            _isTimed = false;
            LookAt(CountTicks());
            UpdateSci();
        }
    }

    // TMR_STS is for the highest bit's changes, either way (ACPI 6.5 §4.8.3.3). Another thread's look may have been later.
    private void LookAt(ulong ticks)
    {
        var changes = ticks >> TimerHighestBit;
        if (changes <= _changes)
            return;
        _changes = changes;
        _status |= TimerCarry;
    }

    // Up to the next whole millisecond, which is what a host's timer knows.
    private TimeSpan UntilCarry()
    {
        var rest = ((_changes + 1) << TimerHighestBit) - CountTicks();
        return (long)rest > 0 ? TimeSpan.FromMilliseconds((long)(rest * 1000 / TimerFrequency) + 1) : TimeSpan.Zero;
    }

    private ulong CountTicks() => (ulong)((UInt128)(ulong)_time.GetTimestamp() * TimerFrequency / (ulong)_time.TimestampFrequency);
}
