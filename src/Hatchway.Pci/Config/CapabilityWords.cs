using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Config;

/// <summary>Describes capabilities in words.</summary>
public static class CapabilityWords
{
    private static readonly Dictionary<CapabilityId, Func<IHostConfigSpace, Capability, string>> Standard = new()
    {
        [CapabilityId.Msi] = DescribeMsi,
        [CapabilityId.Msix] = DescribeMsix,
        [CapabilityId.PowerManagement] = DescribePower,
        [CapabilityId.PciExpress] = DescribeExpress,
        [CapabilityId.AdvancedFeatures] = DescribeAdvancedFeatures,
        [CapabilityId.VendorSpecific] = static (_, capability) => $"{capability.Length} bytes",
    };

    private static readonly Dictionary<ushort, string> PortTypes = new()
    {
        [PciExpress.TypeEndpoint] = "endpoint",
        [PciExpress.TypeLegacyEndpoint] = "legacy endpoint",
        [PciExpress.TypeRootPort] = "root port",
        [PciExpress.TypeUpstreamPort] = "upstream port",
        [PciExpress.TypeDownstreamPort] = "downstream port",
        [PciExpress.TypeExpressToPci] = "bridge to PCI",
        [PciExpress.TypePciToExpress] = "bridge from PCI",
        [PciExpress.TypeRootComplexIntegrated] = "integrated endpoint",
        [PciExpress.TypeEventCollector] = "event collector",
    };

    /// <summary>Gives a capability's name and properties, as <c>MSI-X: 65 vectors, table in BAR0 at 2000h</c>. Reads config space, and
    /// writes nothing.</summary>
    public static string Describe(IHostConfigSpace config, Capability capability)
    {
        ArgumentNullException.ThrowIfNull(config);
        var name = CapabilityNames.Of(capability.Id, capability.IsExtended);
        var details = capability switch
        {
            { IsExtended: false } when Standard.TryGetValue((CapabilityId)capability.Id, out var describe) => describe(config, capability),
            { IsExtended: true, Id: (ushort)ExtendedCapabilityId.SingleRootIov } => DescribeSingleRootIov(config, capability),
            _ => "",
        };
        return details.Length == 0 ? name : $"{name}: {details}";
    }

    /// <summary>Number of vectors that a function's MSI capability requests.</summary>
    public static int MsiCount(IHostConfigSpace config, Capability msi) =>
        Msi.RequestedVectors(config.ReadWord(msi.Offset + Msi.Control));

    /// <summary>The device/port type of a PCI Express function, in place (<see cref="PciExpress.TypeMask"/>); null for a conventional
    /// one.</summary>
    public static ushort? PortType(IHostConfigSpace config, CapabilityChains chains)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(chains);
        return chains.Find(CapabilityId.PciExpress) is { } express
            ? (ushort)(config.ReadWord(express.Offset + PciExpress.Capabilities) & PciExpress.TypeMask)
            : null;
    }

    private static string DescribeMsi(IHostConfigSpace config, Capability msi)
    {
        var control = config.ReadWord(msi.Offset + Msi.Control);
        var vectors = MsiCount(config, msi);
        return $"{vectors} vector{(vectors == 1 ? "" : "s")}, {((control & Msi.Address64) != 0 ? 64 : 32)} bits"
            + ((control & Msi.PerVectorMasking) != 0 ? ", maskable" : "")
            + ((control & Msi.Enable) != 0 ? ", on" : ", off");
    }

    private static string DescribeMsix(IHostConfigSpace config, Capability msix)
    {
        var at = MsixLayout.Read(config, msix);
        return $"{at.Count} vector{(at.Count == 1 ? "" : "s")}, table in {at.TableBar} at {at.TableOffset:x}h, "
            + $"pending bits in {at.PbaBar} at {at.PbaOffset:x}h"
            + ((config.ReadWord(msix.Offset + Msix.Control) & Msix.Enable) != 0 ? ", on" : ", off");
    }

    private static string DescribePower(IHostConfigSpace config, Capability power)
    {
        var control = config.ReadWord(power.Offset + PowerManagement.ControlStatus);
        var state = control & PowerManagement.PowerStateMask;
        return $"in {(state == PowerManagement.D3Hot ? "D3hot" : $"D{state}")}"
            + ((control & PowerManagement.NoSoftReset) != 0 ? "" : ", resets itself on the way from D3hot to D0");
    }

    private static string DescribeExpress(IHostConfigSpace config, Capability express)
    {
        var type = (ushort)(config.ReadWord(express.Offset + PciExpress.Capabilities) & PciExpress.TypeMask);
        var words = PortTypes.GetValueOrDefault(type, "a port of an unknown type");
        if ((config.ReadDword(express.Offset + PciExpress.DeviceCapabilities) & PciExpress.FlrCapable) != 0)
            words += ", function level reset";
        if (express.Length <= PciExpress.LinkStatus)
            return words;
        var link = config.ReadWord(express.Offset + PciExpress.LinkStatus);
        var speed = link & PciExpress.LinkSpeedMask;
        var lanes = PciExpress.Lanes(link);
        return speed > 0 && speed < PciExpress.LinkSpeeds.Count && lanes > 0
            ? $"{words}, {lanes} lane{(lanes == 1 ? "" : "s")} at {PciExpress.LinkSpeeds[speed]} GT/s"
            : words;
    }

    private static string DescribeAdvancedFeatures(IHostConfigSpace config, Capability features)
    {
        var capabilities = config.ReadByte(features.Offset + AdvancedFeatures.Capabilities);
        return (capabilities & AdvancedFeatures.FlrCapable) != 0 ? "function level reset" : "no function level reset";
    }

    private static string DescribeSingleRootIov(IHostConfigSpace config, Capability capability) =>
        $"{config.ReadWord(capability.Offset + SingleRootIov.Functions)} of "
        + $"{config.ReadWord(capability.Offset + SingleRootIov.TotalFunctions)} virtual functions made";
}
