using FsCheck.Fluent;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

public sealed class BarLayoutTests
{
    private const ulong Page = 4096;

    [Fact]
    public void A_BAR_that_can_be_mapped_whole_is_one_direct_segment() =>
        Assert.Equal([new BarSegment(0, 64ul << 30, SegmentKind.Direct)], Divide(64ul << 30, [new(0, 64ul << 30)], []));

    [Fact]
    public void A_BAR_that_cannot_be_mapped_is_trapped() =>
        Assert.Equal([new BarSegment(0, 0x4000, SegmentKind.Trapped)], Divide(0x4000, [], []));

    [Fact]
    public void A_handler_of_four_bytes_takes_its_page_and_no_more() =>
        Assert.Equal(
            [
                new BarSegment(0, 0x2000, SegmentKind.Direct), new BarSegment(0x2000, 0x1000, SegmentKind.Handled),
                new BarSegment(0x3000, 0x1000, SegmentKind.Direct),
            ],
            Divide(0x4000, [new(0, 0x4000)], [(0x2FFC, 4)]));

    [Fact]
    public void A_handler_over_a_pages_edge_takes_both() =>
        Assert.Equal(
            [new BarSegment(0, 0x2000, SegmentKind.Handled), new BarSegment(0x2000, 0x2000, SegmentKind.Direct)],
            Divide(0x4000, [new(0, 0x4000)], [(0xFFE, 4)]));

    [Fact]
    public void A_gap_in_what_can_be_mapped_is_trapped() =>
        Assert.Equal(
            [
                new BarSegment(0, 0x1000, SegmentKind.Direct), new BarSegment(0x1000, 0x1000, SegmentKind.Trapped),
                new BarSegment(0x2000, 0x2000, SegmentKind.Direct),
            ],
            Divide(0x4000, [new(0, 0x1000), new(0x2000, 0x2000)], []));

    [Theory]
    [InlineData(256, 256, SegmentKind.Direct)]
    [InlineData(256, 0, SegmentKind.Trapped)]
    [InlineData(256, 128, SegmentKind.Trapped)]
    public void A_BAR_of_a_fraction_of_a_page_is_direct_when_the_host_offers_all_of_it(ulong size, ulong mappable, SegmentKind kind) =>
        Assert.Equal([new BarSegment(0, size, kind)], Divide(size, mappable == 0 ? [] : [new(0, mappable)], []));

    [Fact]
    public void The_same_pages_are_direct_as_a_page_by_page_count_gives() => Properties.Hold(Properties.Seeds, static seed =>
    {
        var random = new Random(seed);
        var size = (ulong)random.Next(1, 40) * (random.Next(3) == 0 ? 1000ul : Page);
        var areas = Areas(random, size);
        var handlers = Handlers(random, size);
        var segments = Divide(size, areas, handlers);

        var at = 0ul;
        for (var i = 0; i < segments.Count; i++)
        {
            Assert.Equal(at, segments[i].Offset);
            Assert.NotEqual(0ul, segments[i].Length);
            at += segments[i].Length;
            if (i > 0 && segments[i].Kind == segments[i - 1].Kind)
                Assert.Contains(areas, area => area.Offset == segments[i].Offset && segments[i].Kind == SegmentKind.Direct);
            if (segments[i].Kind == SegmentKind.Direct)
                Assert.Contains(areas, area => area.Offset <= segments[i].Offset && at <= area.End);
        }
        Assert.Equal(size, at);
        for (var page = 0ul; page < size; page += Page)
            Assert.Equal(Naive(page, size, areas, handlers), segments.Single(s => s.Offset <= page && page < s.End).Kind);
    }, 2000);

    // The rule for one page, implemented literally.
    private static SegmentKind Naive(ulong page, ulong size, List<MappableArea> areas, List<(ulong Offset, ulong Length)> handlers)
    {
        if (handlers.Any(h => h.Offset < page + Page && page < h.Offset + h.Length))
            return SegmentKind.Handled;
        var last = Math.Min(page + Page, size) - 1;
        return areas.Any(a => a.Offset <= page && last < a.End) ? SegmentKind.Direct : SegmentKind.Trapped;
    }

    private static List<MappableArea> Areas(Random random, ulong size)
    {
        var areas = new List<MappableArea>();
        for (var at = 0ul; at < size && areas.Count < 5;)
        {
            at += (ulong)random.Next(3) * Page;
            var end = Math.Min(at + ((ulong)random.Next(1, 12) * Page), size);
            if (at >= size)
                break;
            areas.Add(new MappableArea(at, end - at));
            at = (end + Page - 1) & ~(Page - 1);
        }
        return areas;
    }

    private static List<(ulong Offset, ulong Length)> Handlers(Random random, ulong size)
    {
        var handlers = new List<(ulong, ulong)>();
        for (var at = 0ul; random.Next(3) != 0;)
        {
            at += (ulong)random.Next((int)size);
            var length = (ulong)random.Next(1, random.Next(2) == 0 ? 8 : 9000);
            if (at >= size)
                break;
            handlers.Add((at, length));
            at += length;
        }
        return handlers;
    }

    private static IReadOnlyList<BarSegment> Divide(ulong size, List<MappableArea> areas, List<(ulong Offset, ulong Length)> handlers) =>
        BarLayout.Divide(
            size, areas, [.. handlers.Select(static h => new BarHandlerRange(new(0), h.Offset, h.Length, "h", new FakeHandler()))]);
}
