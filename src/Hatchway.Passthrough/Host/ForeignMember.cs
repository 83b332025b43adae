using Hatchway.Linux;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>A member of an IOMMU group that is not a PCI function, such as a platform device.</summary>
/// <param name="Name">Its name on its bus.</param>
/// <param name="Bus">Its bus in /sys/bus, or "unknown".</param>
/// <param name="Driver">The driver bound to it, or null.</param>
/// <param name="IsBoundToVfio">True when its driver gives it to user space, like vfio-platform.</param>
internal sealed record ForeignMember(string Name, string Bus, string? Driver, bool IsBoundToVfio)
{
    /// <summary>Lists those of a group, in order of name.</summary>
    public static IReadOnlyList<ForeignMember> InGroup(Sysfs sysfs, int group)
    {
        var members = new List<ForeignMember>();
        foreach (var name in sysfs.List($"kernel/iommu_groups/{group}/devices"))
        {
            if (PciAddress.TryParse(name, null, out _))
                continue;
            // This links to the device's folder, which has links to its bus and its driver.
            var path = $"kernel/iommu_groups/{group}/devices/{name}";
            var driver = sysfs.ReadLinkName($"{path}/driver");
            members.Add(new ForeignMember(
                name,
                sysfs.ReadLinkName($"{path}/subsystem") ?? "unknown",
                driver,
                // VFIO's own drivers have this prefix; others are known by the folder, since Linux 6.1 (drivers/vfio/vfio_main.c).
                driver?.StartsWith("vfio-", StringComparison.Ordinal) == true || sysfs.Exists($"{path}/vfio-dev")));
        }
        return members;
    }
}
