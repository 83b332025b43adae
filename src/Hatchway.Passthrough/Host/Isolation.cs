using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;

namespace Hatchway.Passthrough.Host;

/// <summary>The check of which functions share a function's IOMMU group, and why (drivers/iommu/iommu.c, pci_device_group).</summary>
internal static class Isolation
{
    public static Finding? Look(DeviceSubject subject)
    {
        if (subject.Device!.IommuGroup is not { } group)
            return null;
        var others = subject.View.InGroup(group).Where(member => member.Address != subject.Address && !member.IsBridge).ToList();
        if (others.Count == 0)
            return Finding.Ok("isolated from all others");
        var shared = $"its group has {others.Count} other function{(others.Count == 1 ? "" : "s")}";
        foreach (var bridge in subject.View.BridgesAbove(subject.Address))
        {
            if (Cause(subject.View, bridge) is { } cause)
            {
                return Finding.Note(
                    $"{shared}, {cause}",
                    "all of them go to one guest, or none; a slot behind another port may have a group of its own");
            }
        }
        return Finding.Note(
            others.TrueForAll(other => other.Address.RoutingId >> 3 == subject.Address.RoutingId >> 3)
                ? $"{shared} of the same device, which has no ACS between its functions"
                : $"{shared}; config space does not say what joins them",
            "all of them go to one guest, or none");
    }

    private static string? Cause(HostView view, HostDevice bridge)
    {
        var config = view.Config(bridge.Address);
        if (!config.HasCapabilities)
            return null;
        var chains = config.WalkCapabilities();
        switch (CapabilityWords.PortType(config, chains))
        {
            // Requests from behind such a bridge carry the bridge's own requester id, or none.
            case null or PciExpress.TypeExpressToPci:
                return $"since {bridge.Address} is a conventional PCI bridge, behind which functions can't be told apart";
            case PciExpress.TypeRootPort or PciExpress.TypeDownstreamPort:
                return chains.Find(ExtendedCapabilityId.AccessControlServices) is not null
                    ? null
                    : $"since the port {bridge.Address} has no ACS, and may let functions reach one another past the IOMMU";
            default:
                return null;
        }
    }
}
