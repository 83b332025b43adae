using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>How the guest reaches a part of a BAR.</summary>
public enum SegmentKind : byte
{
    /// <summary>Mapped: without an exit.</summary>
    Direct,

    /// <summary>Each access is an exit, carried out on the host's region at its width.</summary>
    Trapped,

    /// <summary>As <see cref="Trapped"/>, because a handler owns registers in these pages.</summary>
    Handled,
}

/// <summary>A part of a BAR that is reached in one way.</summary>
/// <param name="Offset">Bytes from the BAR's start.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Kind">Which way.</param>
public readonly record struct BarSegment(ulong Offset, ulong Length, SegmentKind Kind)
{
    /// <summary>The first byte after it.</summary>
    public ulong End => Offset + Length;
}

/// <summary>Divides a BAR into segments, page by page.</summary>
public static class BarLayout
{
    /// <summary>
    /// A page is direct when the host lets all of it be mapped and no handler owns a byte of it; else it is handled or trapped.
    /// </summary>
    /// <param name="size">Bytes of the region, as the device decodes them.</param>
    /// <param name="mappable">What the host lets be mapped, in rising order.</param>
    /// <param name="handlers">Who owns registers in this BAR, in rising order.</param>
    /// <returns>
    /// Segments in rising order that cover the region. Two neighbours differ in kind, or lie in two mappable areas: a mapping is made
    /// within one.
    /// </returns>
    /// <remarks>
    /// A region that does not fill its last page, as one smaller than a page, has that page direct only when the host offers all of it:
    /// the host does so when the rest of the page belongs to nobody else (linux/vfio.h; vfio_pci_core: vfio_pci_probe_mmaps).
    /// </remarks>
    public static IReadOnlyList<BarSegment> Divide(
        ulong size, IReadOnlyList<MappableArea> mappable, IReadOnlyList<BarHandlerRange> handlers)
    {
        ArgumentNullException.ThrowIfNull(mappable);
        ArgumentNullException.ThrowIfNull(handlers);
        // Only at these offsets can the kind change: a BAR of 64 GiB costs no more than one of a page.
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

    // An area that ends where the region ends covers its last page, whole or not.
    private static ulong AreaEnd(MappableArea area, ulong size) => area.End >= size ? size : GuestPage.RoundDown(area.End);
}
