using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Config;

/// <summary>The properties of an assigned function in the guest that do not follow from its own config space.</summary>
/// <param name="Bars">The BARs that the guest sees.</param>
/// <param name="HasIntx">True when it may use its interrupt pin.</param>
/// <param name="MsiVectors">Vectors that the host delivers by MSI; the capability shows no more, and is hidden at 0.</param>
/// <param name="MsixVectors">Vectors that the host delivers by MSI-X; the capability shows no more, and is hidden at 0.</param>
/// <param name="MultiFunction">True when its slot holds other functions, too.</param>
public sealed record AssignedShape(IReadOnlyList<BarDescription> Bars, bool HasIntx, int MsiVectors, int MsixVectors, bool MultiFunction);

/// <summary>Builds the rules for the config space of an assigned function from its capability chains.</summary>
public static class AssignedRules
{
    /// <summary>Standard capabilities that are hidden from the guest, and why.</summary>
    private static readonly Dictionary<CapabilityId, string> HiddenStandard = new()
    {
        [CapabilityId.PciX] = "bus mode of the host's side",
        [CapabilityId.EnhancedAllocation] = "gives host addresses for BARs that the guest must place itself",
    };

    /// <summary>Extended capabilities that are hidden from the guest, and why: mostly, they control what belongs to the host.</summary>
    private static readonly Dictionary<ExtendedCapabilityId, string> HiddenExtended = new()
    {
        [ExtendedCapabilityId.AccessControlServices] = "isolation is the host's",
        [ExtendedCapabilityId.AlternativeRoutingId] = "the guest's slot has its own function numbers",
        [ExtendedCapabilityId.AddressTranslation] = "goes past the IOMMU's checks",
        [ExtendedCapabilityId.SingleRootIov] = "would make functions that the guest has no bus for",
        [ExtendedCapabilityId.MultiRootIov] = "as SR-IOV",
        [ExtendedCapabilityId.PageRequest] = "needs address translation",
        [ExtendedCapabilityId.ResizableBar] = "the host has sized its windows",
        [ExtendedCapabilityId.VfResizableBar] = "as resizable BAR",
        [ExtendedCapabilityId.DynamicPowerAllocation] = "power budget is the host's",
        [ExtendedCapabilityId.LatencyTolerance] = "belongs to the host's link",
        [ExtendedCapabilityId.L1Substates] = "belongs to the host's link",
        [ExtendedCapabilityId.PrecisionTime] = "belongs to the host's link",
        [ExtendedCapabilityId.SecondaryPciExpress] = "belongs to the host's link",
        [ExtendedCapabilityId.DataLinkFeature] = "belongs to the host's link",
        [ExtendedCapabilityId.PhysicalLayer16] = "belongs to the host's link",
        [ExtendedCapabilityId.LaneMargining] = "could disturb the host's link",
        [ExtendedCapabilityId.PhysicalLayer32] = "belongs to the host's link",
        [ExtendedCapabilityId.PhysicalLayer64] = "belongs to the host's link",
        [ExtendedCapabilityId.LinkEncryption] = "its keys are the host's",
        [ExtendedCapabilityId.DownstreamPortContainment] = "belongs to the host's port",
        [ExtendedCapabilityId.Pasid] = "the IOMMU gives this function one address space",
    };

    /// <summary>Builds the rules. Reads config space, and writes nothing.</summary>
    public static IReadOnlyList<FieldRule> Build(IHostConfigSpace config, CapabilityChains chains, AssignedShape shape)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(chains);
        ArgumentNullException.ThrowIfNull(shape);
        var rules = new List<FieldRule>();
        AddHeader(rules, config, shape);
        AddStandard(rules, config, chains, shape);
        AddExtended(rules, config, chains);
        return rules;
    }

    // Of each kind that is mediated, only the first is shown: a function has one, and further ones come from a broken chain.
    private static bool IsShown(Capability capability, CapabilityChains chains, AssignedShape shape)
    {
        var id = (CapabilityId)capability.Id;
        return id switch
        {
            CapabilityId.Msi => shape.MsiVectors > 0 && chains.Find(id) == capability,
            CapabilityId.Msix => shape.MsixVectors > 0 && chains.Find(id) == capability,
            CapabilityId.PowerManagement or CapabilityId.PciExpress => chains.Find(id) == capability,
            _ => !HiddenStandard.ContainsKey(id),
        };
    }

    private static void AddHeader(List<FieldRule> rules, IHostConfigSpace config, AssignedShape shape)
    {
        // A decode bit without a BAR behind it is hardwired to zero, as on the device (§7.5.1.1.3).
        var decode = CommandBits.None;
        foreach (var bar in shape.Bars)
            decode |= bar.Kind == BarKind.Io ? CommandBits.Io : CommandBits.Memory;
        const ulong Own = (ulong)(CommandBits.Io | CommandBits.Memory | CommandBits.BusMaster | CommandBits.IntxDisable);
        var writable = (ulong)(decode | CommandBits.BusMaster | (shape.HasIntx ? CommandBits.IntxDisable : 0));
        rules.Add(FieldRule.MaskedField(
            "Command", Header.Command, 2,
            virtualBits: Own,
            value: 0,
            writable,
            forwarded: (ushort)~(Own & ~writable),
            ConfigEffects.Decode));

        var layout = (uint)config.ReadByte(Header.HeaderType) & Header.LayoutMask;
        rules.Add(FieldRule.VirtualField(
            "Header Type", Header.HeaderType, 1, layout | (shape.MultiFunction ? Header.MultiFunction : 0u)));

        // A register without a BAR reads as zero, which is how software learns that there is none (§7.5.1.2.1).
        rules.Add(FieldRule.HiddenField("Base Address Registers", Header.Bar0, 4 * BarIndex.BarCount));
        rules.Add(FieldRule.HiddenField("Expansion ROM Base Address", Header.RomBar, 4));
        foreach (var bar in shape.Bars)
        {
            var mask = bar.Kind == BarKind.Rom ? (bar.AddressMask & BarBits.RomAddressMask) | BarBits.RomEnable : bar.AddressMask;
            rules.Add(FieldRule.VirtualField(bar.Index.ToString(), bar.Register, bar.RegisterBytes, bar.Flags, mask, ConfigEffects.Decode));
        }

        rules.Add(FieldRule.VirtualField("Interrupt Line", Header.InterruptLine, 1, 0xFF, 0xFF));
        var pin = shape.HasIntx ? config.ReadByte(Header.InterruptPin) : 0u;
        rules.Add(FieldRule.VirtualField("Interrupt Pin", Header.InterruptPin, 1, pin));
    }

    private static void AddStandard(List<FieldRule> rules, IHostConfigSpace config, CapabilityChains chains, AssignedShape shape)
    {
        var shown = new List<Capability>();
        foreach (var capability in chains.Standard)
        {
            if (IsShown(capability, chains, shape))
                shown.Add(capability);
            else
                rules.Add(FieldRule.HiddenField($"hidden capability {capability.Id:x2}h", capability.Offset, capability.Length));
        }

        var status = shown.Count > 0 ? Header.StatusCapabilityList : 0u;
        rules.Add(FieldRule.MaskedField(
            "Status", Header.Status, 2, virtualBits: Header.StatusCapabilityList, value: status, writable: 0, forwarded: 0xFFFF));
        rules.Add(FieldRule.VirtualField("Capabilities Pointer", Header.CapabilitiesPointer, 1, shown.Count > 0 ? shown[0].Offset : 0u));
        for (var i = 0; i < shown.Count; i++)
        {
            var capability = shown[i];
            AddCapability(rules, config, capability, shape);
            var next = i + 1 < shown.Count ? shown[i + 1].Offset : 0u;
            rules.Add(FieldRule.VirtualField("Next Capability Pointer", capability.Offset + CapabilityHeader.Next, 1, next));
        }
    }

    private static void AddCapability(List<FieldRule> rules, IHostConfigSpace config, Capability capability, AssignedShape shape)
    {
        switch ((CapabilityId)capability.Id)
        {
            case CapabilityId.PowerManagement when capability.Length >= PowerManagement.Length:
                AddPowerManagement(rules, config, capability.Offset);
                break;
            case CapabilityId.Msi:
                AddMsi(rules, config, capability.Offset, shape.MsiVectors);
                break;
            case CapabilityId.Msix:
                AddMsix(rules, config, capability.Offset, shape.MsixVectors);
                break;
            case CapabilityId.PciExpress when capability.Length >= PciExpress.LengthV1:
                AddPciExpress(rules, config, capability);
                break;
            default:
                break;
        }
    }

    // PME# is hidden, since wake-up belongs to the host. The power state is written to the host function, which takes it (PCI Bus Power
    // Management 1.2 §3.2).
    private static void AddPowerManagement(List<FieldRule> rules, IHostConfigSpace config, int at)
    {
        var capabilities = config.ReadWord(at + PowerManagement.Capabilities);
        rules.Add(FieldRule.VirtualField(
            "Power Management Capabilities", at + PowerManagement.Capabilities, 2, capabilities & ~(uint)PowerManagement.PmeSupportMask));
        rules.Add(FieldRule.MaskedField(
            "Power Management Control/Status", at + PowerManagement.ControlStatus, 2,
            virtualBits: PowerManagement.WakeAndDataMask,
            value: 0,
            writable: PowerManagement.PowerStateMask,
            forwarded: PowerManagement.PowerStateMask,
            ConfigEffects.Decode));
    }

    // Every byte of the MSI and MSI-X capabilities is virtual, so that no write to them reaches the host function.
    private static void AddMsix(List<FieldRule> rules, IHostConfigSpace config, int at, int vectors)
    {
        var last = Math.Min(Msix.Entries(config.ReadWord(at + Msix.Control)), vectors) - 1;
        rules.Add(FieldRule.VirtualField("Capability ID", at, 1, (ulong)CapabilityId.Msix));
        rules.Add(FieldRule.VirtualField(
            "MSI-X Message Control", at + Msix.Control, 2, (uint)last, Msix.Enable | Msix.FunctionMask, ConfigEffects.Msix));
        var table = config.ReadDword(at + Msix.Table);
        rules.Add(FieldRule.VirtualField("MSI-X Table Offset/BIR", at + Msix.Table, 4, table));
        var pba = config.ReadDword(at + Msix.Pba);
        rules.Add(FieldRule.VirtualField("MSI-X PBA Offset/BIR", at + Msix.Pba, 4, pba));
    }

    private static void AddMsi(List<FieldRule> rules, IHostConfigSpace config, int at, int most)
    {
        var control = config.ReadWord(at + Msi.Control);
        var multiple = Msi.MultipleCapable(Math.Min(Msi.RequestedVectors(control), most));
        rules.Add(FieldRule.VirtualField("Capability ID", at, 1, (ulong)CapabilityId.Msi));
        rules.Add(FieldRule.VirtualField(
            "MSI Message Control", at + Msi.Control, 2,
            (uint)(control & (Msi.Address64 | Msi.PerVectorMasking)) | multiple,
            Msi.Enable | Msi.MultipleEnableMask,
            ConfigEffects.Msi));
        rules.Add(FieldRule.VirtualField("MSI Message Address", at + Msi.AddressLow, 4, 0, 0xFFFF_FFFC, ConfigEffects.Msi));
        if ((control & Msi.Address64) != 0)
            rules.Add(FieldRule.VirtualField("MSI Message Upper Address", at + Msi.AddressHigh, 4, 0, uint.MaxValue, ConfigEffects.Msi));
        rules.Add(FieldRule.VirtualField("MSI Message Data", at + Msi.Data(control), 2, 0, 0xFFFF, ConfigEffects.Msi));
        if ((control & Msi.PerVectorMasking) == 0)
            return;
        // Extended message data is used only with a control bit that is hidden from the guest (§7.7.1.6).
        rules.Add(FieldRule.VirtualField("MSI Extended Message Data", at + Msi.ExtendedData(control), 2, 0));
        rules.Add(FieldRule.VirtualField(
            "MSI Mask Bits", at + Msi.MaskBits(control), 4,
            0, (1ul << Math.Min(Msi.RequestedVectors(multiple), 32)) - 1, ConfigEffects.Msi));
        rules.Add(FieldRule.VirtualField("MSI Pending Bits", at + Msi.PendingBits(control), 4, 0));
    }

    // The guest sees the function on its root bus, where no link is above it, so as an integrated endpoint (§7.5.3.2, §1.3.2.3).
    private static void AddPciExpress(List<FieldRule> rules, IHostConfigSpace config, Capability capability)
    {
        var at = capability.Offset;
        var capabilities = config.ReadWord(at + PciExpress.Capabilities);
        if ((capabilities & PciExpress.TypeMask) is not (PciExpress.TypeEndpoint or PciExpress.TypeLegacyEndpoint))
            return;
        rules.Add(FieldRule.VirtualField(
            "PCI Express Capabilities", at + PciExpress.Capabilities, 2,
            (capabilities & ~(uint)PciExpress.TypeMask) | PciExpress.TypeRootComplexIntegrated));
        rules.Add(FieldRule.HiddenField("Link", at + PciExpress.Link, PciExpress.LinkBytes));
        if (capability.Length < PciExpress.LengthV2)
            return;
        rules.Add(FieldRule.HiddenField("Link 2", at + PciExpress.Link2, PciExpress.LinkBytes));
        // These need support from the ports above, which the guest can't see, and Linux assumes it where it sees no ports (§6.15, §6.18;
        // Linux's pci_enable_atomic_ops_to_root). They stay as the host has set them, since the power states of its links rely on them.
        const ushort Withheld = PciExpress.AtomicRequesterEnable | PciExpress.LatencyToleranceEnable | PciExpress.TenBitTagEnable
            | PciExpress.BufferFlushMask;
        rules.Add(FieldRule.MaskedField(
            "Device Control 2", at + PciExpress.DeviceControl2, 2,
            virtualBits: Withheld, value: 0, writable: 0, forwarded: 0xFFFF & ~(ulong)Withheld, kept: Withheld));
    }

    // The pointer before a hidden capability skips it, so the chain stays whole. The first has a fixed place: when hidden, it becomes a
    // null capability (§7.9.28), or, when nothing follows it, all zeros, which means no extended capabilities (§7.6.1).
    private static void AddExtended(List<FieldRule> rules, IHostConfigSpace config, CapabilityChains chains)
    {
        // The host's kernel removes capabilities that it does not know from the chain (vfio_pci_config.c, vfio_ecap_init), but their
        // registers still work. So the guest may write only to capabilities that are known and harmless.
        if (config.Size > Header.ConventionalSize)
            rules.Add(FieldRule.ReadOnlyField("Extended space", Header.ConventionalSize, config.Size - Header.ConventionalSize));
        foreach (var capability in chains.Extended)
        {
            if (WritableLength(config, capability) is > 0 and var length)
            {
                rules.Add(FieldRule.HostField(
                    $"extended capability {capability.Id:x4}h", capability.Offset, Math.Min(length, capability.Length)));
            }
        }
        var linked = new List<Capability>();
        foreach (var capability in chains.Extended)
        {
            var isHidden = IsHidden(capability);
            if (isHidden)
                rules.Add(FieldRule.HiddenField($"hidden extended capability {capability.Id:x4}h", capability.Offset, capability.Length));
            if (!isHidden || linked.Count == 0)
                linked.Add(capability);
        }
        for (var i = 0; i < linked.Count; i++)
        {
            var next = i + 1 < linked.Count ? linked[i + 1].Offset : 0;
            var header = !IsHidden(linked[i]) ? config.ReadDword(linked[i].Offset)
                : next != 0 ? ExtendedCapabilityHeader.Null
                : 0;
            rules.Add(FieldRule.VirtualField(
                "Extended Capability Header", linked[i].Offset, ExtendedCapabilityHeader.Bytes,
                ExtendedCapabilityHeader.WithNext(header, next)));
        }
    }

    /// <summary>Bytes of an extended capability; when its length is not known, up to the next one.</summary>
    internal static int ClaimedLength(IHostConfigSpace config, Capability capability) =>
        WritableLength(config, capability) is > 0 and var length ? Math.Min(length, capability.Length) : capability.Length;

    private static bool IsHidden(Capability extended) => HiddenExtended.ContainsKey((ExtendedCapabilityId)extended.Id);

    // Bytes of an extended capability that a guest may write, header included. The host's kernel filters writes to error reporting.
    private static int WritableLength(IHostConfigSpace config, Capability capability) => (ExtendedCapabilityId)capability.Id switch
    {
        ExtendedCapabilityId.AdvancedErrorReporting => AdvancedErrors.Length,
        ExtendedCapabilityId.VendorSpecific or ExtendedCapabilityId.DesignatedVendorSpecific =>
            VendorSpecific.ExtendedLength(config.ReadDword(capability.Offset + VendorSpecific.ExtendedHeader)),
        _ => 0,
    };
}
