namespace Hatchway.Pci.Spec;

/// <summary>IDs and registers of the chip set that PC firmware knows: Intel's 82441FX (i440FX), PIIX3 and PIIX4.</summary>
public static class Piix
{
    /// <summary>Intel's vendor id.</summary>
    public const ushort Vendor = 0x8086;

    /// <summary>Device id of the 82441FX, a host bridge (Intel 82441FX PMC data sheet §3.2.2).</summary>
    public const ushort HostBridgeDevice = 0x1237;

    /// <summary>Device id of the PIIX3, function 0: its bridge to ISA (Intel 82371SB PIIX3 data sheet, register DID at 02h).</summary>
    public const ushort IsaBridgeDevice = 0x7000;

    /// <summary>The device number that the power management function must have; the host bridge has 0.</summary>
    public const int PowerManagementSlot = 1;

    /// <summary>The function number of power management in that device (Intel 82371AB PIIX4 data sheet §1.3).</summary>
    public const int PowerManagementFunction = 3;

    /// <summary>PMBA, 32 bits: first port of the power management block, with bit 0 set for I/O (82371AB §7.1.13).</summary>
    public const int PowerManagementBase = 0x40;

    /// <summary>PMREGMISC, 8 bits (82371AB §7.1.27).</summary>
    public const int PowerManagementMiscellaneous = 0x80;

    /// <summary>Bit of <see cref="PowerManagementMiscellaneous"/>: the block is decoded.</summary>
    public const byte PowerManagementEnable = 1;
}
