using Hatchway.Pci.Address;

namespace Hatchway.Machine.Devices;

/// <summary>The reset control register at port 0xCF9 (Intel 82371SB PIIX3, "RC: Reset Control Register"; ICH and later alike).</summary>
/// <remarks>
/// Changing RST_CPU from 0 to 1 starts a reset. On hardware that resets only the processors when SYS_RST is clear; here it resets the
/// whole machine, with or without firmware. The FADT names this port, with <see cref="AcpiResetValue"/>. Any thread.
/// </remarks>
public sealed class ResetPort : IAddressTarget
{
    /// <summary>The port.</summary>
    public const ushort Port = 0xCF9;

    /// <summary>The value that ACPI writes to the port to reset the machine (ACPI 6.5 §4.8.3.6): SYS_RST and RST_CPU.</summary>
    public const byte AcpiResetValue = SystemReset | ResetCpu;

    private const byte SystemReset = 1 << 1;
    private const byte ResetCpu = 1 << 2;
    private const byte FullReset = 1 << 3;

    private readonly IPowerControl _power;
    private int _value;

    /// <summary>Makes the register as it is after a reset: zero.</summary>
    public ResetPort(IPowerControl power)
    {
        ArgumentNullException.ThrowIfNull(power);
        _power = power;
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width) => (uint)Volatile.Read(ref _value);

    /// <inheritdoc/>
    public void Write(ulong offset, AccessWidth width, ulong value)
    {
        var next = (int)value & (SystemReset | ResetCpu | FullReset);
        var before = Interlocked.Exchange(ref _value, next);
        if ((next & ~before & ResetCpu) != 0)
            _power.Request(PowerEvent.Reset);
    }
}
