using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>How the guest reaches a part of a BAR.</summary>
public enum SegmentKind : byte
{
    /// <summary>Mapped into the guest: accesses cause no exit.</summary>
    Direct,

    /// <summary>Trapped: each access is an exit, and is made to the host's region at its width.</summary>
    Trapped,

    /// <summary>Trapped, because a handler owns registers in these pages.</summary>
    Handled,
}

/// <summary>A part of a BAR that is reached in one way.</summary>
/// <param name="Offset">Bytes from the BAR's start.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Kind">How it is reached.</param>
public readonly record struct BarSegment(ulong Offset, ulong Length, SegmentKind Kind)
{
    /// <summary>The first byte after it.</summary>
    public ulong End => Offset + Length;
}

/// <summary>Divides a BAR into segments, page by page.</summary>
public static class BarLayout
{
    /// <summary>
    /// Divides a region. A page is direct when the host allows all of it to be mapped and no handler owns a byte of it; else it is handled
    /// or trapped.
    /// </summary>
    /// <param name="size">Bytes of the region, as the device decodes them.</param>
    /// <param name="mappable">The areas that the host allows to be mapped, in rising order.</param>
    /// <param name="handlers">The handlers' ranges in this BAR, in rising order.</param>
    /// <returns>
    /// Segments in rising order that cover the region. Neighbours differ in kind, or lie in two mappable areas, since a mapping can't
    /// span areas.
    /// </returns>
    /// <remarks>
    /// The last page of a region that does not fill it, such as one smaller than a page, is direct only when the host offers all of it,
    /// which it does when no other device has the rest of the page (linux/vfio.h; vfio_pci_core: vfio_pci_probe_mmaps).
    /// </remarks>
    public static IReadOnlyList<BarSegment> Divide(
        ulong size, IReadOnlyList<MappableArea> mappable, IReadOnlyList<BarHandlerRange> handlers)
    {
        ArgumentNullException.ThrowIfNull(mappable);
        ArgumentNullException.ThrowIfNull(handlers);
        // The kind can change only at these offsets, so a BAR of 64 GiB takes no more work than one of a page.
        var edges = new SortedSet<ulong> { 0, size };
        foreach (var area in mappable)
            AddEdges(edges, GuestPage.RoundUp(area.Offset), AreaEnd(area, size), size);
        foreach (var handler in handlers)
            AddEdges(edges, GuestPage.RoundDown(handler.Offset), GuestPage.RoundUp(handler.End), size);

        var segments = new List<BarSegment>();
        var start = 0ul;
        foreach (var end in edges)
        {
            if (end == 0)
                continue;
            var kind = KindOf(start, end, mappable, handlers);
            var joins = segments.Count > 0 && segments[^1].Kind == kind;
            if (joins && (kind != SegmentKind.Direct || !BeginsArea(start, mappable)))
                segments[^1] = segments[^1] with { Length = end - segments[^1].Offset };
            else
                segments.Add(new BarSegment(start, end - start, kind));
            start = end;
        }
        return segments;
    }

    private static bool BeginsArea(ulong start, IReadOnlyList<MappableArea> mappable)
    {
        foreach (var area in mappable)
        {
            if (area.Offset == start)
                return true;
        }
        return false;
    }

    private static void AddEdges(SortedSet<ulong> edges, ulong start, ulong end, ulong size)
    {
        if (start < size)
            edges.Add(start);
        if (end < size)
            edges.Add(end);
    }

    private static SegmentKind KindOf(
        ulong start, ulong end, IReadOnlyList<MappableArea> mappable, IReadOnlyList<BarHandlerRange> handlers)
    {
        var pagesEnd = GuestPage.RoundUp(end);
        foreach (var handler in handlers)
        {
            if (handler.Offset < pagesEnd && start < handler.End)
                return SegmentKind.Handled;
        }
        foreach (var area in mappable)
        {
            if (area.Offset <= start && end <= area.End)
                return SegmentKind.Direct;
        }
        return SegmentKind.Trapped;
    }

    // An area that ends with the region covers its last page, even when that is not whole.
    private static ulong AreaEnd(MappableArea area, ulong size) => area.End >= size ? size : GuestPage.RoundDown(area.End);
}
