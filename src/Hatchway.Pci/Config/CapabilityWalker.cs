using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Config;

/// <summary>Walks a function's capability chains (PCIe 6.0 §7.5.1.1.11 and §7.6.3).</summary>
/// <remarks>
/// A device's chains may be broken. A loop ends the walk, as does a pointer outside the range for capabilities, and one into the registers
/// of a capability seen before. The capabilities found until then are kept. A capability that overlaps the next one, or the end of config
/// space, is cut short.
/// </remarks>
public static class CapabilityWalker
{
    private const int ExtendedStart = Header.ConventionalSize;

    // Such a capability extends to the next one, so that all registers up to there count as its own.
    private const int LengthNotKnown = Header.ExpressSize;

    /// <summary>Walks both chains. Reads config space, and writes nothing.</summary>
    public static CapabilityChains Walk(IHostConfigSpace config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var warnings = new List<string>();
        var standard = SetLengths(WalkStandard(config, warnings), Header.ConventionalSize, warnings);
        var extended = SetLengths(WalkExtended(config, warnings), config.Size, null);
        return new CapabilityChains(standard, extended, warnings);
    }

    private static List<Capability> WalkStandard(IHostConfigSpace config, List<string> warnings)
    {
        var found = new List<Capability>();
        if ((config.ReadWord(Header.Status) & Header.StatusCapabilityList) == 0)
            return found;
        var seen = new HashSet<int>();
        for (var at = Pointer(config, Header.CapabilitiesPointer); at != 0; at = Pointer(config, at + CapabilityHeader.Next))
        {
            if (at < Header.End)
            {
                warnings.Add($"capability pointer {at:x2}h points into the header; the chain is cut there");
                break;
            }
            if (!seen.Add(at))
            {
                warnings.Add($"capability chain loops back to {at:x2}h; it is cut there");
                break;
            }
            if (Around(found, at) is { } around)
            {
                warnings.Add(
                    $"capability pointer {at:x2}h points into capability {around.Id:x2}h at {around.Offset:x2}h; the chain is cut there");
                break;
            }
            var id = config.ReadByte(at);
            if (id == 0xFF)
            {
                warnings.Add($"capability at {at:x2}h reads as all ones; the chain is cut there");
                break;
            }
            var capability = new Capability(id, (ushort)at, 0);
            found.Add(capability with { Length = StandardLength(config, capability) });
        }
        return found;
    }

    // The capability that a byte lies in. A vendor-specific one does not count: its length comes from the device and may be wrong.
    private static Capability? Around(List<Capability> found, int at)
    {
        foreach (var capability in found)
        {
            if (capability.Offset < at && at < capability.Offset + capability.Length
                && capability.Length != LengthNotKnown && capability.Id != (ushort)CapabilityId.VendorSpecific)
                return capability;
        }
        return null;
    }

    private static int Pointer(IHostConfigSpace config, int at) => config.ReadByte(at) & CapabilityHeader.PointerMask;

    private static List<Capability> WalkExtended(IHostConfigSpace config, List<string> warnings)
    {
        var found = new List<Capability>();
        if (config.Size <= ExtendedStart)
            return found;
        var seen = new HashSet<int>();
        for (var at = ExtendedStart; at != 0;)
        {
            if (at < ExtendedStart || at > config.Size - ExtendedCapabilityHeader.Bytes)
            {
                warnings.Add($"extended capability pointer {at:x3}h is outside the extended space; the chain is cut there");
                break;
            }
            if (!seen.Add(at))
            {
                warnings.Add($"extended capability chain loops back to {at:x3}h; it is cut there");
                break;
            }
            var header = config.ReadDword(at);
            // All zeros at 100h mean no extended capabilities (§7.6.1); all ones, that the function does not answer.
            if (header is 0 or uint.MaxValue)
            {
                if (at != ExtendedStart)
                    warnings.Add($"extended capability pointer {at:x3}h points at no capability; the chain is cut there");
                break;
            }
            found.Add(new Capability((ushort)header, (ushort)at, ExtendedLength(config, (ExtendedCapabilityId)(ushort)header, at)));
            at = ExtendedCapabilityHeader.Next(header);
        }
        return found;
    }

    // A capability ends where the specification says, or where another begins, so that no byte belongs to two. Extended ones are cut
    // without a warning, since a device of an older specification may have fewer registers.
    private static List<Capability> SetLengths(List<Capability> chain, int end, List<string>? warnings)
    {
        var starts = chain.ConvertAll(c => (int)c.Offset);
        starts.Sort();
        return chain.ConvertAll(c =>
        {
            var next = starts.BinarySearch(c.Offset) + 1;
            var room = (next < starts.Count ? starts[next] : end) - c.Offset;
            if (warnings is not null && c.Length > room && c.Length != LengthNotKnown)
                warnings.Add($"capability {c.Id:x2}h at {c.Offset:x2}h has {c.Length} bytes, of which {room} are its own; it is cut there");
            return c with { Length = Math.Min(c.Length, room) };
        });
    }

    private static int StandardLength(IHostConfigSpace config, Capability c) => (CapabilityId)c.Id switch
    {
        CapabilityId.Null => CapabilityHeader.Bytes,
        CapabilityId.PowerManagement => PowerManagement.Length,
        CapabilityId.VitalProductData => VitalProductData.Length,
        CapabilityId.Msi => Msi.Length(config.ReadWord(c.Offset + Msi.Control)),
        CapabilityId.Msix => Msix.Length,
        CapabilityId.PciX => PciX.Length(config.ReadWord(c.Offset + PciX.Command)),
        CapabilityId.AdvancedFeatures => AdvancedFeatures.Length,
        CapabilityId.VendorSpecific => Math.Max(VendorSpecific.SmallestLength, config.ReadByte(c.Offset + VendorSpecific.LengthAt)),
        CapabilityId.PciExpress => PciExpressLength(config, c),
        _ => LengthNotKnown,
    };

    // Lengths of the capabilities that are hidden, so that nothing behind them is hidden too, and of those that real devices have other
    // registers behind.
    private static int ExtendedLength(IHostConfigSpace config, ExtendedCapabilityId id, int at) => id switch
    {
        ExtendedCapabilityId.DeviceSerialNumber => ExtendedLengths.DeviceSerialNumber,
        ExtendedCapabilityId.PowerBudgeting => ExtendedLengths.PowerBudgeting,
        ExtendedCapabilityId.LatencyTolerance => ExtendedLengths.LatencyTolerance,
        ExtendedCapabilityId.AlternativeRoutingId => ExtendedLengths.AlternativeRoutingId,
        ExtendedCapabilityId.Pasid => ExtendedLengths.Pasid,
        ExtendedCapabilityId.SingleRootIov => ExtendedLengths.SingleRootIov,
        ExtendedCapabilityId.AddressTranslation => ExtendedLengths.AddressTranslation,
        ExtendedCapabilityId.PageRequest => ExtendedLengths.PageRequest,
        ExtendedCapabilityId.AccessControlServices => Within(config, at + ExtendedLengths.AccessControlAt, 2)
            ? ExtendedLengths.AccessControl(config.ReadWord(at + ExtendedLengths.AccessControlAt))
            : LengthNotKnown,
        ExtendedCapabilityId.ResizableBar or ExtendedCapabilityId.VfResizableBar =>
            Within(config, at + ExtendedLengths.ResizableBarControlAt, 4)
            && ExtendedLengths.ResizableBar(config.ReadDword(at + ExtendedLengths.ResizableBarControlAt)) is > 0 and var length
                ? length
                : LengthNotKnown,
        _ => LengthNotKnown,
    };

    private static bool Within(IHostConfigSpace config, int at, int length) => at + length <= config.Size;

    private static int PciExpressLength(IHostConfigSpace config, Capability c)
    {
        var capabilities = config.ReadWord(c.Offset + PciExpress.Capabilities);
        if ((capabilities & PciExpress.VersionMask) >= 2)
            return PciExpress.LengthV2;
        return (capabilities & PciExpress.TypeMask) == PciExpress.TypeRootComplexIntegrated ? PciExpress.Link : PciExpress.LengthV1;
    }
}
