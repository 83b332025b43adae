namespace Hatchway.Pci.Bars;

/// <summary>Lists the devices whose own ROM is known to do harm in a guest.</summary>
public static class KnownRoms
{
    // Broadcom's BCM57810: its ROM hangs or crashes the machine that runs it (QEMU, hw/vfio/pci-quirks.c, rom_denylist).
    private static readonly (ushort Vendor, ushort Device)[] Harmful = [(0x14E4, 0x168E)];

    /// <summary>True for a device whose ROM should not be given to a guest.</summary>
    /// <param name="vendor">Vendor ID.</param>
    /// <param name="device">Device ID.</param>
    public static bool DoesHarm(ushort vendor, ushort device) => Harmful.Contains((vendor, device));
}
