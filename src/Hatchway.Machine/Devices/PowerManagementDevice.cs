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
/// <para>There is no system management mode and so no SMI command port: the machine is always in ACPI mode and SCI_EN reads as one. The
/// power button's event is the only one that occurs. The timer's carry sets no status, because software reads a 24-bit timer more often
/// than it wraps; there is no sleep button and no wake alarm.</para>
/// <para>Any thread. The SCI is level-triggered; the device drives it under its lock, in the order of the changes.</para>
/// </remarks>
public sealed class PowerManagementDevice : IAddressTarget
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
    private const ushort GlobalLock = 1 << 5;
    private const ushort PowerButton = 1 << 8;

    private const ushort RealTimeClockAlarm = 1 << 10;

    // GBL_EN and RTC_EN are writable because ACPICA reports an error when they are not. Neither event ever comes: no firmware releases the
    // global lock, and the clock's alarm, which has an interrupt of its own, wakes nothing.
    private const ushort EnableMask = GlobalLock | PowerButton | RealTimeClockAlarm;

    // The control register.
    private const ushort SciEnabled = 1 << 0;
    private const ushort BusMasterReload = 1 << 1;
    private const int SleepTypeShift = 10;
    private const ushort SleepTypeMask = 7 << SleepTypeShift;
    private const ushort SleepEnable = 1 << 13;

    private const uint TimerMask = 0x00FF_FFFF;

    private readonly IPowerControl _power;
    private readonly IInterruptLine _sci;
    private readonly TimeProvider _time;

    // Guards the registers and the SCI's level. The power control is called outside it.
    private readonly Lock _lock = new();
    private ushort _status;
    private ushort _enable;
    private ushort _control = SciEnabled;
    private bool _asserted;

    /// <summary>Makes the device as it is after a reset.</summary>
    /// <param name="power">Receives the request to switch off.</param>
    /// <param name="sci">The interrupt, <see cref="SciGsi"/>.</param>
    /// <param name="time">The timer's time base; only its timestamps are used.</param>
    public PowerManagementDevice(IPowerControl power, IInterruptLine sci, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(power);
        ArgumentNullException.ThrowIfNull(sci);
        ArgumentNullException.ThrowIfNull(time);
        (_power, _sci, _time) = (power, sci, time);
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

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width)
    {
        ulong low;
        lock (_lock)
            low = _status | ((ulong)_enable << 16) | ((ulong)_control << 32);
        // Read once, so that one access sees one value of the timer.
        var registers = new UInt128(ReadTimer(), low);
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
        if (asserted == _asserted)
            return;
        _asserted = asserted;
        _sci.Set(asserted);
    }

    private uint ReadTimer() =>
        (uint)((UInt128)(ulong)_time.GetTimestamp() * TimerFrequency / (ulong)_time.TimestampFrequency) & TimerMask;
}
