using Hatchway.Pci.Address;

namespace Hatchway.Pci.Handlers;

/// <summary>The range of a BAR in which a family of devices shows its config space.</summary>
/// <param name="Name">A name, for people.</param>
/// <param name="Vendor">Vendor ID.</param>
/// <param name="FirstDevice">The family's first device ID.</param>
/// <param name="LastDevice">The family's last device ID.</param>
/// <param name="BaseClass">Base class code.</param>
/// <param name="Bar">The BAR.</param>
/// <param name="Offset">First byte in the BAR.</param>
/// <param name="Length">Bytes.</param>
/// <param name="MsiHeader">True when writes to the header of the MSI capability reach the device; see <see cref="ConfigMirror"/>.</param>
/// <param name="Own">Further ranges whose writes reach the device; they are in no capability.</param>
public sealed record KnownMirror(
    string Name, ushort Vendor, ushort FirstDevice, ushort LastDevice, byte BaseClass, BarIndex Bar, ulong Offset, ulong Length,
    bool MsiHeader, IReadOnlyList<ConfigRange> Own);

/// <summary>Lists the devices that are known to show their config space in a BAR where drivers use it.</summary>
/// <remarks>
/// <para>
/// Sources: nouveau (drivers/gpu/drm/nouveau/nvkm/subdev/pci: nv04.c, nv40.c, gh100.c), NVIDIA's open register headers (NV_PCFG in
/// dev_nv_xve.h, NV_EP_PCFGM in gh100's dev_xtl_ep_pri.h) and QEMU's notes (hw/vfio/pci-quirks.c); pci.ids for which device is which chip.
/// Chips from NV10 to NV30 are among the second row's devices, as in QEMU.
/// </para>
/// <para>
/// An NVIDIA GPU sends no further MSI until its driver has acknowledged the one before, through the mirror: by a write to the header of the
/// MSI capability (nouveau: nv40_pci_msi_rearm) or to 704h (nouveau: gf100_pci_msi_rearm, a byte, gp100_pci_msi_rearm, a dword; NVIDIA's
/// own: kbifRearmMSI_GM107, NV_XVE_CYA_2).
/// </para>
/// <para>
/// Left out on purpose: AMD's BAR2 + 4000h, since only legacy VGA code uses it (QEMU, ibid.) and later chips have their doorbells
/// in BAR2; Intel's BAR0 + 108040h and 1080C0h (QEMU, hw/vfio/igd.c), single registers that the guest sees unchanged in config space as
/// well, so that both agree.
/// </para>
/// </remarks>
public static class KnownMirrors
{
    private const ushort Nvidia = 0x10DE;
    private const byte Display = 0x03;

    private static readonly ConfigRange[] None = [];
    private static readonly ConfigRange[] Rearm = [new(0x704, 4)];

    /// <summary>The table.</summary>
    public static IReadOnlyList<KnownMirror> All { get; } =
    [
        //  name                           vendor  devices         class    BAR     offset    length  MSI    own
        new("NVIDIA config mirror (NV04)", Nvidia, 0x0020, 0x03FF, Display, new(0), 0x0_1800, 0x0100, false, None),
        new("NVIDIA config mirror (NV40)", Nvidia, 0x0040, 0x22FF, Display, new(0), 0x8_8000, 0x1000, true, Rearm),
        new("NVIDIA config mirror (GH100)", Nvidia, 0x2300, 0x23FF, Display, new(0), 0x9_2000, 0x1000, false, None),
        new("NVIDIA config mirror (NV40)", Nvidia, 0x2400, 0x28FF, Display, new(0), 0x8_8000, 0x1000, true, Rearm),
        new("NVIDIA config mirror (GH100)", Nvidia, 0x2900, 0xFFFF, Display, new(0), 0x9_2000, 0x1000, false, None),
    ];

    /// <summary>Finds the mirrors of a device; none for most.</summary>
    /// <param name="vendor">Vendor ID.</param>
    /// <param name="device">Device ID.</param>
    /// <param name="baseClass">Base class code, bits 23:16 of the class code.</param>
    public static IEnumerable<KnownMirror> For(ushort vendor, ushort device, byte baseClass) => All.Where(mirror =>
        mirror.Vendor == vendor && mirror.FirstDevice <= device && device <= mirror.LastDevice && mirror.BaseClass == baseClass);
}
