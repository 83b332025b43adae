using Hatchway.Linux;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>A PCI function of the host, as sysfs describes it (Linux Documentation/ABI/testing/sysfs-bus-pci).</summary>
/// <param name="Address">Its address on the host.</param>
/// <param name="Vendor">Vendor id.</param>
/// <param name="Device">Device id.</param>
/// <param name="Class">Class code, 24 bits.</param>
/// <param name="Driver">The driver bound to it, or null.</param>
/// <param name="IommuGroup">Its IOMMU group, or null when no IOMMU isolates it.</param>
/// <param name="HeaderLayout">Layout of its config header: 0 an endpoint, 1 a PCI-to-PCI bridge, 2 a CardBus bridge; others are
/// undefined.</param>
/// <param name="IsBoundToVfio">True when its driver gives it to user space.</param>
public sealed record HostDevice(
    PciAddress Address, ushort Vendor, ushort Device, uint Class, string? Driver, int? IommuGroup, byte HeaderLayout, bool IsBoundToVfio)
{
    /// <summary>The driver that gives functions to user space (Linux Documentation/driver-api/vfio.rst).</summary>
    public const string VfioDriver = "vfio-pci";

    /// <summary>The kernel's reset methods for it, in the order of trying, as "flr bus"; null when it has none, and before Linux
    /// 5.15.</summary>
    public string? ResetMethods { get; init; }

    /// <summary>True for a PCI-to-PCI or CardBus bridge; false for a function that does not answer and so reads as all ones.</summary>
    public bool IsBridge => HeaderLayout is 1 or 2;

    /// <summary>True for a host bridge or an ISA bridge, which is a part of the host itself but has an endpoint's header.</summary>
    public bool IsChipSet => Class >> 8 is 0x0600 or 0x0601;

    /// <summary>Reads a function's description; null when the host has no such function.</summary>
    public static HostDevice? Find(Sysfs sysfs, PciAddress address)
    {
        ArgumentNullException.ThrowIfNull(sysfs);
        var path = HostView.PathOf(address);
        if (!sysfs.Exists(path))
            return null;
        var driver = sysfs.ReadLinkName($"{path}/driver");
        return new HostDevice(
            address,
            (ushort)sysfs.ReadHex($"{path}/vendor"),
            (ushort)sysfs.ReadHex($"{path}/device"),
            (uint)sysfs.ReadHex($"{path}/class"),
            driver,
            int.TryParse(sysfs.ReadLinkName($"{path}/iommu_group"), out var group) ? group : null,
            ReadHeaderLayout(sysfs, path),
            // Some devices have VFIO drivers of their own, such as mlx5_vfio_pci. Since Linux 6.1 each VFIO device has this folder
            // (drivers/vfio/vfio_main.c, vfio_init_device).
            driver == VfioDriver || sysfs.Exists($"{path}/vfio-dev"))
        {
            ResetMethods = sysfs.TryReadText($"{path}/reset_method"),
        };
    }

    /// <summary>Lists the functions of an IOMMU group, in order of address.</summary>
    public static IReadOnlyList<HostDevice> InGroup(Sysfs sysfs, int group) =>
        InFolder(sysfs, $"kernel/iommu_groups/{group}/devices");

    /// <summary>Lists the functions in a folder of sysfs, in order of address.</summary>
    internal static IReadOnlyList<HostDevice> InFolder(Sysfs sysfs, string folder)
    {
        ArgumentNullException.ThrowIfNull(sysfs);
        var devices = new List<HostDevice>();
        foreach (var name in sysfs.List(folder))
        {
            if (PciAddress.TryParse(name, null, out var address) && Find(sysfs, address) is { } device)
                devices.Add(device);
        }
        devices.Sort(static (a, b) => (a.Address.Domain, a.Address.RoutingId).CompareTo((b.Address.Domain, b.Address.RoutingId)));
        return devices;
    }

    // Every user may read the first 64 bytes of config space. Only one is read: if this host is a guest, each access may be an exit.
    private static byte ReadHeaderLayout(Sysfs sysfs, string path) =>
        sysfs.ReadBytes($"{path}/config", 1, Pci.Spec.Header.HeaderType) is [var type]
            ? (byte)(type & Pci.Spec.Header.LayoutMask)
            : (byte)0;
}
