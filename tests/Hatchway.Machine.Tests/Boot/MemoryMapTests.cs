using FsCheck;
using FsCheck.Fluent;
using Hatchway.Machine.Boot;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Tests.Boot;

public sealed class MemoryMapTests
{
    private const ulong MiB = 1 << 20;

    [Fact]
    public void A_machine_with_6_GiB_has_the_map_of_a_PC()
    {
        (ulong Start, ulong End, uint Kind)[] expected =
        [
            (0, 0x9_FC00, 1),
            (0x9_FC00, 0x10_0000, 2),
            (0x10_0000, 0xC000_0000, 1),
            (0xE000_0000, 0xE010_0000, 2),
            (0xFEFF_C000, 0xFF00_0000, 2),
            (0x1_0000_0000, 0x1_C000_0000, 1),
        ];
        var map = MemoryMap.For(MemoryLayout.For(6ul << 30, 46));
        Assert.Equal(expected, map.Select(static entry => (entry.Start, entry.End, (uint)entry.Kind)));
    }

    [Fact]
    public void The_zero_page_has_the_same_map()
    {
        var layout = MemoryLayout.For(6ul << 30, 46);
        var memory = new ArrayMemory(Loading.RamBytes);
        var page = Loading.Load(new BzImageBuilder().Build(), memory, layout).Rsi;
        var map = MemoryMap.For(layout);
        Assert.Equal(map.Count, memory.UInt8(page + 0x1E8));
        for (var index = 0; index < map.Count; index++)
        {
            var at = page + 0x2D0 + ((ulong)index * 20);
            Assert.Equal(map[index], new MemoryMapEntry(memory.UInt64(at), memory.UInt64(at + 8), (MemoryKind)memory.UInt32(at + 16)));
        }
    }

    [Fact]
    public void It_covers_RAM_exactly_but_for_the_holes_in_order_and_without_overlap() => Check.QuickThrowOnFailure(Prop.ForAll(
        Gen.Choose(2, 1 << 20).Select(static mib => (ulong)mib * MiB).ToArbitrary(),
        static bytes =>
        {
            var layout = MemoryLayout.For(bytes, 46);
            var map = MemoryMap.For(layout);
            var ordered = map.Zip(map.Skip(1)).All(static pair => pair.First.End <= pair.Second.Start);
            var ram = map.Where(static entry => entry.Kind == MemoryKind.Ram).ToList();
            var inside = ram.All(entry => layout.Ram.Any(range =>
                entry.Start >= range.GuestPhysical && entry.End <= range.GuestPhysical + range.Length));
            // Only the legacy area is missing from RAM.
            var total = ram.Aggregate(0ul, static (sum, entry) => sum + entry.Length);
            return ordered && inside && total == bytes - (MiB - 0x9_FC00);
        }));

    [Fact]
    public void RAM_around_reserved_addresses_is_cut_wherever_it_begins_and_ends()
    {
        // Cases that no layout gives: RAM that begins in a hole, ends in one, or lies within one.
        var holes = new MemoryMapEntry[] { new(10, 10, MemoryKind.Reserved), new(30, 10, MemoryKind.Reserved) };
        Assert.Equal([(0, 10), (20, 30), (40, 50)], Around(0, 50, holes));
        Assert.Equal([(20, 30)], Around(15, 35, holes));
        Assert.Equal([], Around(10, 20, holes));
        Assert.Equal([(20, 30)], Around(20, 30, holes));
        Assert.Equal([(5, 7)], Around(5, 7, holes));
    }

    private static List<(int Start, int End)> Around(int start, int end, MemoryMapEntry[] holes)
    {
        var entries = new List<MemoryMapEntry>();
        MemoryMap.AddAround(entries, new RamRange((ulong)start, 0, (ulong)(end - start)), holes);
        return entries.ConvertAll(static entry => ((int)entry.Start, (int)entry.End));
    }
}
