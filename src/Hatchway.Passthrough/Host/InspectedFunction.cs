using Hatchway.Linux;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Handlers;
using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Spec;

namespace Hatchway.Passthrough.Host;

/// <summary>A part of a BAR, and how a guest would reach it.</summary>
/// <param name="Segment">The part, and whether it would be mapped or trapped.</param>
/// <param name="Reason">The reason for that, for people.</param>
public sealed record InspectedPart(BarSegment Segment, string Reason);

/// <summary>A BAR or the ROM of a function.</summary>
/// <param name="Index">Its index.</param>
/// <param name="Kind">What it decodes.</param>
/// <param name="Prefetchable">True for memory that may be prefetched.</param>
/// <param name="Address">Its address on the host; null while it has none.</param>
/// <param name="Size">Bytes; null when only the register's content is known.</param>
/// <param name="Parts">Its parts, from start to end, as a guest would reach them; empty when the size is not known.</param>
public sealed record InspectedBar(
    BarIndex Index, BarKind Kind, bool Prefetchable, ulong? Address, ulong? Size, IReadOnlyList<InspectedPart> Parts);

/// <summary>Everything that can be learnt about a function without opening it.</summary>
/// <param name="Device">The function as sysfs describes it, or as the header of a recorded config space does.</param>
/// <param name="Config">Its config space, as far as known.</param>
/// <param name="Capabilities">Its capabilities, with warnings about broken chains.</param>
/// <param name="Bars">Its BARs and ROM.</param>
public sealed record InspectedFunction(
    HostDevice Device, RecordedConfigSpace Config, CapabilityChains Capabilities, IReadOnlyList<InspectedBar> Bars)
{
    private const string MappedReason = "mapped into the guest, no exits";

    /// <summary>Subsystem vendor and device ids; zero where there are none, as in a bridge.</summary>
    public (ushort Vendor, ushort Device) Subsystem => Device.IsBridge || Config.Size < Header.End
        ? default
        : (Config.ReadWord(Header.SubsystemVendorId), Config.ReadWord(Header.SubsystemId));

    /// <summary>The revision id.</summary>
    public byte Revision => Config.ReadByte(Header.RevisionId);

    /// <summary>The interrupt pin: 0 for none, 1 to 4 for INTA to INTD. Invalid values give 0.</summary>
    public int InterruptPin =>
        Config.Size >= Header.End && Config.ReadByte(Header.InterruptPin) is >= 1 and <= 4 and var pin
            ? pin
            : 0;

    /// <summary>Inspects a function of the host.</summary>
    public static InspectedFunction Of(HostView view, HostDevice device)
    {
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(device);
        var config = view.Config(device.Address);
        var chains = config.WalkCapabilities();
        return new InspectedFunction(device, config, chains, device.IsBridge ? [] : ReadBars(view, device, config, chains));
    }

    /// <summary>Inspects a recorded config space.</summary>
    public static InspectedFunction Of(PciAddress address, RecordedConfigSpace config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var layout = config.Size > Header.HeaderType
            ? (byte)(config.ReadByte(Header.HeaderType) & Header.LayoutMask)
            : (byte)0;
        var device = new HostDevice(
            address,
            config.ReadWord(Header.VendorId),
            config.ReadWord(Header.DeviceId),
            config.Size < Header.End ? 0xFFFFFF : config.ReadDword(Header.RevisionId) >> 8,
            Driver: null,
            IommuGroup: null,
            layout,
            IsBoundToVfio: false);
        var bars = layout == 0 ? BarRegister.ReadAll(config) : [];
        return new InspectedFunction(device, config, config.WalkCapabilities(), [.. bars.Select(static bar =>
            new InspectedBar(bar.Index, bar.Kind, bar.Prefetchable, bar.Address == 0 ? null : bar.Address, Size: null, []))]);
    }

    private static List<InspectedBar> ReadBars(HostView view, HostDevice device, RecordedConfigSpace config, CapabilityChains chains)
    {
        var bars = new List<InspectedBar>();
        var resources = view.Resources(device.Address);
        var handled = Handled(device, config, chains);
        for (byte i = 0; i < Math.Min(resources.Count, BarIndex.Count); i++)
        {
            var (index, resource) = (new BarIndex(i), resources[i]);
            if (resource.Size == 0)
                continue;
            var kind = index == BarIndex.Rom ? BarKind.Rom
                : resource.IsPorts ? BarKind.Io
                : resource.Is64Bit ? BarKind.Memory64 : BarKind.Memory32;
            bars.Add(new InspectedBar(
                index, kind, resource.IsPrefetchable, resource.IsUnassigned ? null : resource.Start, resource.Size,
                Divide(view, device, index, kind, resource, handled)));
        }
        return bars;
    }

    // The ranges that handlers would own: registers that the guest does not reach directly.
    private static List<BarHandlerRange> Handled(HostDevice device, RecordedConfigSpace config, CapabilityChains chains)
    {
        var ranges = new List<BarHandlerRange>();
        if (MsixLayout.Find(config, chains) is { } msix)
            ranges.AddRange([msix.TableRange(NoHandler.Instance), msix.PbaRange(NoHandler.Instance)]);
        if (MsixBackDoor.RangeOf(device.Vendor, device.Device, NoHandler.Instance) is { } backDoor)
            ranges.Add(backDoor);
        foreach (var mirror in KnownMirrors.For(device.Vendor, device.Device, (byte)(device.Class >> 16)))
            ranges.Add(new BarHandlerRange(mirror.Bar, mirror.Offset, mirror.Length, mirror.Name, NoHandler.Instance));
        ranges.Sort(static (a, b) => a.Offset.CompareTo(b.Offset));
        return ranges;
    }

    private static List<InspectedPart> Divide(
        HostView view, HostDevice device, BarIndex index, BarKind kind, PciResource resource, List<BarHandlerRange> handled)
    {
        var handlers = handled.FindAll(range => range.Bar == index && range.Offset < resource.Size);
        var (mappable, reason) = Mappable(view, device, kind, resource);
        IReadOnlyList<MappableArea> areas = mappable ? [new MappableArea(0, resource.Size)] : [];
        return BarLayout.Divide(resource.Size, areas, handlers).Select(segment => new InspectedPart(segment, segment.Kind switch
        {
            SegmentKind.Handled =>
                $"{string.Join(", ", handlers.Where(range => Touches(segment, range)).Select(static range => range.Name))} in these pages",
            _ => reason,
        })).ToList();
    }

    private static bool Touches(BarSegment segment, BarHandlerRange range) =>
        range.Offset < segment.End && segment.Offset < range.End;

    // The kernel allows mapping of memory BARs of at least a page, and of a smaller one that starts a page when no other device has the
    // rest of that page (drivers/vfio/pci/vfio_pci_core.c, vfio_pci_probe_mmaps).
    private static (bool Mappable, string Reason) Mappable(HostView view, HostDevice device, BarKind kind, PciResource resource)
    {
        if (kind == BarKind.Io)
            return (false, "I/O ports");
        if (kind == BarKind.Rom)
            return (false, "a ROM is read through the host");
        if (resource.IsUnassigned)
            return (false, "the host has given it no address");
        if (resource.Size >= GuestPage.Size)
            return (true, MappedReason);
        if (!GuestPage.IsAligned(resource.Start))
            return (false, $"smaller than a page, and begins inside one");
        return SharesPageWith(view, device, resource) is { } other
            ? (false, $"smaller than a page, which it shares with {other}")
            : (true, "mapped, since the rest of its page is nobody's");
    }

    private static string? SharesPageWith(HostView view, HostDevice device, PciResource resource)
    {
        var pageEnd = resource.Start + GuestPage.Size;
        foreach (var other in view.Devices)
        {
            var resources = view.Resources(other.Address);
            // Only the BARs and the ROM count: a bridge's further resources are its windows, which contain this BAR.
            for (var i = 0; i < Math.Min(resources.Count, BarIndex.Count); i++)
            {
                var theirs = resources[i];
                if (theirs.Size > 0 && !theirs.IsPorts && theirs.Start > resource.Last && theirs.Start < pageEnd)
                    return other.Address == device.Address ? $"its {new BarIndex((byte)i)}" : $"{other.Address} {new BarIndex((byte)i)}";
            }
        }
        return null;
    }

    // Stands for the handler of a range, and is never called.
    private sealed class NoHandler : IBarHandler
    {
        public static NoHandler Instance { get; } = new();

        public ulong Read(in BarAccess access) => access.Width.AllOnes();

        public void Write(in BarAccess access, ulong value)
        {
            // Dropped.
        }
    }
}
