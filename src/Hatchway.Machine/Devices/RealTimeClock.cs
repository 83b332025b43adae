using Hatchway.Pci.Address;

namespace Hatchway.Machine.Devices;

/// <summary>The clock and CMOS RAM of a PC at ports 0x70 and 0x71: Motorola MC146818 with the century at 0x32.</summary>
/// <remarks>
/// <para>It shows the time provider's UTC plus an offset, in BCD and 24 hours unless the guest chooses otherwise in register B. The guest
/// may set it; the difference to the provider's time is kept for this machine's life. A date that does not exist (the 31st of February)
/// is ignored.</para>
/// <para>It interrupts for an alarm, at the end of each update, and periodically, at most once a millisecond, the resolution of the host's
/// timer. Flags are computed when register C is read or an interrupt is due: the timer runs only while an interrupt is enabled and the
/// line is low.</para>
/// <para>Any thread may call; index and data are separate accesses, which the guest must serialise. The line is driven under the clock's
/// lock, in the order of the changes.</para>
/// </remarks>
public sealed partial class RealTimeClock : IAddressTarget, IByteRegisters
{
    /// <summary>The index port; the data port follows it.</summary>
    public const ushort FirstPort = 0x70;

    /// <summary>The number of ports.</summary>
    public const int PortCount = 2;

    /// <summary>The register that holds the century; the FADT names it.</summary>
    public const byte CenturyRegister = 0x32;

    // Register A: UIP in bit 7, the divider in 6:4, the periodic rate in 3:0. Divider 010 counts 32.768 kHz; 11x holds it in reset.
    private const byte UpdateInProgress = 0x80;
    private const byte DividerReset = 0x60;
    private const byte RegisterAAtStart = 0x26;

    // Register B.
    private const byte SetTime = 0x80;
    private const byte BinaryMode = 0x04;
    private const byte Hours24 = 0x02;
    private const byte RegisterBWritable = SetTime | Events | BinaryMode | Hours24;

    // Register D: the RAM and the time are valid.
    private const byte Valid = 0x80;

    private const byte Afternoon = 0x80;
    private const byte IndexMask = 0x7F;

    // UIP is set 244 us before an update, which then takes 1984 us (MC146818, "Update Cycle"). The seconds change at the update's end.
    private const long UpdateTicks = (244 + 1984) * TimeSpan.TicksPerMicrosecond;

    // Once the divider runs again, the first update comes half a second later (MC146818, "Divider Stages").
    private static readonly TimeSpan AfterDividerReset = TimeSpan.FromMilliseconds(500);

    private readonly TimeProvider _time;

    // Guards everything below, and the level of the line.
    private readonly Lock _lock = new();
    private readonly byte[] _ram = new byte[IndexMask + 1];
    private TimeSpan _offset;
    private byte _index;

    /// <summary>Makes a clock that shows a time provider's UTC plus an offset.</summary>
    /// <param name="time">The source of the date, of timestamps and of a timer.</param>
    /// <param name="line">The interrupt, <see cref="Gsi"/>.</param>
    /// <param name="offset">How far the clock is ahead of UTC; a time zone's offset for local time.</param>
    public RealTimeClock(TimeProvider time, IInterruptLine line, TimeSpan offset = default)
    {
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(line);
        (_time, _line) = (time, line);
        _offset = offset;
        _ram[(int)Cell.A] = RegisterAAtStart;
        _ram[(int)Cell.B] = Hours24;
        _timer = time.CreateTimer(
            static clock => ((RealTimeClock)clock!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Restart();
    }

    private enum Cell : byte
    {
        Seconds = 0,
        SecondsAlarm = 1,
        Minutes = 2,
        MinutesAlarm = 3,
        Hours = 4,
        HoursAlarm = 5,
        DayOfWeek = 6,
        Day = 7,
        Month = 8,
        Year = 9,
        A = 10,
        B = 11,
        C = 12,
        D = 13,
        Century = CenturyRegister,
    }

    private static readonly Cell[] s_timeCells =
        [Cell.Seconds, Cell.Minutes, Cell.Hours, Cell.DayOfWeek, Cell.Day, Cell.Month, Cell.Year, Cell.Century];

    // With SET, or with the divider in reset, the clock stops and its registers are RAM.
    private bool Stopped => (_ram[(int)Cell.B] & SetTime) != 0 || DividerHeld;

    private bool DividerHeld => (_ram[(int)Cell.A] & DividerReset) == DividerReset;

    private DateTime Now => _time.GetUtcNow().UtcDateTime + _offset;

    /// <summary>Writes a cell of the RAM after the clock's registers, as a PC's firmware does. Before the guest runs.</summary>
    /// <param name="cell">0x0E to 0x7F, except <see cref="CenturyRegister"/>.</param>
    /// <param name="value">The value that the guest reads until it writes another.</param>
    /// <exception cref="ArgumentOutOfRangeException">The cell is one of the clock's registers.</exception>
    public void SetCell(byte cell, byte value)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(cell, (byte)Cell.D);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(cell, IndexMask);
        ArgumentOutOfRangeException.ThrowIfEqual(cell, CenturyRegister);
        lock (_lock)
            _ram[cell] = value;
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width) => ByteRegisters.Read(this, offset, width);

    /// <inheritdoc/>
    public void Write(ulong offset, AccessWidth width, ulong value) => ByteRegisters.Write(this, offset, width, value);

    byte IByteRegisters.ReadRegister(int port)
    {
        // As on most PCs, the index can't be read back.
        if (port == 0)
            return 0xFF;
        lock (_lock)
            return ReadCell((Cell)_index);
    }

    void IByteRegisters.WriteRegister(int port, byte value)
    {
        lock (_lock)
        {
            // Bit 7 of the index port masks the NMI; it is no part of the index.
            if (port == 0)
                _index = (byte)(value & IndexMask);
            else
                WriteCell((Cell)_index, value);
        }
    }

    private byte ReadCell(Cell cell)
    {
        switch (cell)
        {
            case Cell.A:
                return (byte)(_ram[(int)Cell.A] | (UpdateIsNear() ? UpdateInProgress : 0));
            case Cell.C:
                return TakeEvents();
            case Cell.D:
                return Valid;
            default:
                return Array.IndexOf(s_timeCells, cell) >= 0 && !Stopped ? Encode(cell, Now) : _ram[(int)cell];
        }
    }

    private void WriteCell(Cell cell, byte value)
    {
        // First record the events that are due by the values being overwritten.
        Advance();
        switch (cell)
        {
            case Cell.A:
                WriteControl(Cell.A, (byte)(value & ~UpdateInProgress));
                break;
            case Cell.B:
                // SET also clears the enable bit of the update-ended interrupt (MC146818, "Register B").
                WriteControl(Cell.B, (byte)(value & RegisterBWritable & ~((value & SetTime) != 0 ? Update : 0)));
                break;
            case Cell.C or Cell.D:
                break;
            default:
                if (Array.IndexOf(s_timeCells, cell) >= 0 && !Stopped)
                    Adjust(cell, value);
                else
                    _ram[(int)cell] = value;
                break;
        }
    }

    private void WriteControl(Cell register, byte value)
    {
        var (wasStopped, wasHeld) = (Stopped, DividerHeld);
        var now = Now;
        if (!wasStopped)
            Latch(now);
        _ram[(int)register] = value;
        // After the divider's reset the first update comes half a second later; otherwise the fraction of the second continues.
        if (wasStopped && !Stopped)
            Adopt(now, wasHeld ? AfterDividerReset : Fraction(now));
        Restart();
        Drive();
    }

    // Writes one register while the clock runs; the others keep the time.
    private void Adjust(Cell cell, byte value)
    {
        var now = Now;
        Latch(now);
        _ram[(int)cell] = value;
        Adopt(now, Fraction(now));
        Restart();
    }

    private void Latch(DateTime now)
    {
        foreach (var cell in s_timeCells)
            _ram[(int)cell] = Encode(cell, now);
    }

    private void Adopt(DateTime now, TimeSpan fraction)
    {
        var year = (100 * Decode(Cell.Century)) + Decode(Cell.Year);
        var month = Decode(Cell.Month);
        var day = Decode(Cell.Day);
        var hour = DecodeHour();
        var (minute, second) = (Decode(Cell.Minutes), Decode(Cell.Seconds));
        // Years far from DateTime's limits, so that setting the provider's clock back does not reach one.
        if (year is < 100 or > 9900 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month)
            || hour > 23 || minute > 59 || second > 59)
            return;
        _offset += new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc) + fraction - now;
    }

    private static TimeSpan Fraction(DateTime now) => new(now.Ticks % TimeSpan.TicksPerSecond);

    private bool UpdateIsNear() => !Stopped && TimeSpan.TicksPerSecond - Fraction(Now).Ticks <= UpdateTicks;

    private byte Encode(Cell cell, DateTime now) => cell switch
    {
        Cell.Seconds => ToFormat(now.Second),
        Cell.Minutes => ToFormat(now.Minute),
        Cell.Hours => EncodeHour(now.Hour),
        Cell.DayOfWeek => ToFormat((int)now.DayOfWeek + 1),
        Cell.Day => ToFormat(now.Day),
        Cell.Month => ToFormat(now.Month),
        Cell.Year => ToFormat(now.Year % 100),
        _ => ToFormat(now.Year / 100),
    };

    private bool Is24Hours => (_ram[(int)Cell.B] & Hours24) != 0;

    private byte EncodeHour(int hour)
    {
        if (Is24Hours)
            return ToFormat(hour);
        var onDial = hour % 12 == 0 ? 12 : hour % 12;
        return (byte)(ToFormat(onDial) | (hour >= 12 ? Afternoon : 0));
    }

    private int DecodeHour()
    {
        var value = _ram[(int)Cell.Hours];
        if (Is24Hours)
            return FromFormat(value);
        var onDial = FromFormat((byte)(value & ~Afternoon));
        var hour = (onDial % 12) + ((value & Afternoon) != 0 ? 12 : 0);
        return onDial is < 1 or > 12 ? int.MaxValue : hour;
    }

    private int Decode(Cell cell) => FromFormat(_ram[(int)cell]);

    private byte ToFormat(int value) =>
        (byte)((_ram[(int)Cell.B] & BinaryMode) != 0 ? value : ((value / 10) << 4) | (value % 10));

    private int FromFormat(byte value) =>
        (_ram[(int)Cell.B] & BinaryMode) != 0 ? value : (10 * (value >> 4)) + (value & 0xF);
}
