using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Tests.Topology;

public sealed class BarAllocatorTests
{
    private static readonly BridgeWindow Ports = new(0xC000, 0x4000);
    private static readonly BridgeWindow Low = new(0xC000_0000, 0x3000_0000);
    private static readonly BridgeWindow High = new(0x10_0000_0000, 0x70_0000_0000);

    private static readonly BridgeWindows All = new(Ports, Low, High, "the end");

    [Fact]
    public void Every_recorded_device_finds_room_on_one_bus_and_answers_there()
    {
        Guest[] guests = [.. RecordedFunction.Names.Select(static name => new Guest(name))];
        Assert.Empty(new BarAllocator(All).Assign(Named(guests)));
        Assert.All(guests, static guest => Assert.DoesNotContain(guest.Function.Windows, static window => window.Address is not null));
        AssertApart([.. guests.SelectMany(Places)]);
        foreach (var guest in guests)
        {
            guest.Write32(Header.RomBar, guest.Read32(Header.RomBar) | BarBits.RomEnable);
            guest.Command(CommandBits.Io | CommandBits.Memory);
            Assert.All(guest.Function.Windows, static window => Assert.NotNull(window.Address));
            guest.Dispose();
        }
    }

    [Fact]
    public void A_64_bit_BAR_goes_below_4_GiB_when_it_is_small_and_above_when_it_is_large()
    {
        using var small = new Guest(new ConfigBuilder().Bar(0, BarBits.Type64, 16 << 20).Build());
        using var large = new Guest(new ConfigBuilder().Bar(0, BarBits.Type64, 32 << 20).Build());
        Assert.Empty(new BarAllocator(All).Assign(Named(small, large)));
        Assert.Equal(Low.Start, Assert.Single(Places(small)).Start);
        Assert.Equal(High.Start, Assert.Single(Places(large)).Start);
    }

    [Fact]
    public void A_small_64_bit_BAR_goes_above_4_GiB_when_there_is_no_room_below()
    {
        using var guest = new Guest(new ConfigBuilder().Bar(0, BarBits.Type64, 0x4000).Build());
        Assert.Empty(new BarAllocator(All with { Low = new(0xC000_0000, 0x2000) }).Assign(Named(guest)));
        Assert.Equal(High.Start, Assert.Single(Places(guest)).Start);
    }

    [Fact]
    public void A_large_64_bit_BAR_goes_below_4_GiB_when_there_is_no_window_above()
    {
        using var guest = new Guest(new ConfigBuilder().Bar(0, BarBits.Type64, 64 << 20).Build());
        Assert.Empty(new BarAllocator(All with { High = default }).Assign(Named(guest)));
        Assert.Equal(Low.Start, Assert.Single(Places(guest)).Start);
    }

    [Fact]
    public void Memory_BARs_of_a_fraction_of_a_page_have_pages_of_their_own()
    {
        using var guest = new Guest(new ConfigBuilder().Bar(0, 0, 256).Bar(1, 0, 16).Build());
        Assert.Empty(new BarAllocator(All).Assign(Named(guest)));
        Assert.Equal([0xC000_0000, 0xC000_1000], Places(guest).Select(static place => place.Start));
    }

    [Theory]
    [InlineData(0u, 0x4000_0000, "1 GiB", "memory below 4 GiB: device 0 BAR0 1 GiB = 1 GiB, with alignment 1 GiB from 0xc0000000 on; "
        + "there are 768 MiB, up to the machine's own devices")]
    [InlineData(BarBits.Type64, 0x100_0000_0000, "1 TiB", "memory above 4 GiB: device 0 BAR0 1 TiB = 1 TiB, with alignment 1.938 TiB from "
        + "0x1000000000 on; there are 448 GiB, up to the end")]
    [InlineData(BarBits.Io, 0x8000, "32 KiB", "I/O ports: device 0 BAR0 32 KiB = 32 KiB, with alignment 48 KiB from 0xc000 on; "
        + "there are 16 KiB, up to the last port")]
    public void A_BAR_that_finds_no_room_is_left_at_zero_and_named_with_the_sum(uint flags, ulong size, string bytes, string sum)
    {
        using var guest = new Guest(new ConfigBuilder().Bar(0, flags, size).Build());
        var told = new BarAllocator(All).Assign(Named(guest));
        Assert.Equal([$"device 0 BAR0 of {bytes} finds no room and stays without an address: the guest can't use it", sum], told);
        Assert.Equal(0ul, Assert.Single(Places(guest)).Start);
    }

    [Fact]
    public void Any_BARs_are_placed_apart_aligned_in_windows_and_the_same_way_each_time() =>
        Properties.Hold(Properties.Seeds, static seed =>
        {
            var random = new Random(seed);
            RecordedFunction[] functions = [.. Enumerable.Range(0, random.Next(1, 8)).Select(_ => AnyBars(random))];
            var low = new BridgeWindow(Low.Start + (ulong)(random.Next(16) * 0x1234), (ulong)random.Next(0x1_0000, 0x1000_0000));
            var (places, failures) = Assign(functions, low);
            var placed = places.Where(static place => place.Start != 0).ToList();
            Assert.Equal(
                places.Count - placed.Count,
                failures.Count(static line => line.Contains(" finds no room ", StringComparison.Ordinal)));
            AssertApart(placed);
            Assert.All(placed, place =>
            {
                Assert.Equal(0ul, place.Start & (place.Bar.Size - 1));
                BridgeWindow[] windows = place.Bar.Kind switch
                {
                    BarKind.Io => [Ports],
                    BarKind.Memory64 => [low, High],
                    _ => [low],
                };
                Assert.Contains(windows, window => window.Start <= place.Start && place.Start + place.Bar.Size <= window.End);
            });
            var again = Assign(functions, low);
            Assert.Equal(places, again.Places);
            Assert.Equal(failures, again.Failures);
        });

    private static RecordedFunction AnyBars(Random random)
    {
        var builder = new ConfigBuilder(256);
        for (var i = 0; i < 6; i++)
        {
            var flags = random.Next(4) switch
            {
                0 => BarBits.Io,
                1 when i < 5 => BarBits.Type64,
                _ => 0u,
            };
            if (random.Next(2) == 0)
                builder.Bar(i, flags, 1ul << (flags == BarBits.Io ? random.Next(2, 12) : random.Next(4, flags == 0 ? 28 : 38)));
            if (flags == BarBits.Type64)
                i++;
        }
        if (random.Next(2) == 0)
            builder.Rom(1ul << random.Next(11, 20));
        return builder.Build();
    }

    private static (List<Place> Places, IReadOnlyList<string> Failures) Assign(RecordedFunction[] functions, BridgeWindow low)
    {
        Guest[] guests = [.. functions.Select(static function => new Guest(function))];
        var failures = new BarAllocator(All with { Low = low }).Assign(Named(guests));
        return ([.. guests.SelectMany(Places)], failures);
    }

    private static NamedFunction[] Named(params Guest[] guests) =>
        [.. guests.Select(static (guest, i) => new NamedFunction($"device {i}", guest.Function))];

    private static IEnumerable<Place> Places(Guest guest)
    {
        foreach (var bar in guest.Function.Windows.Select(static window => window.Bar))
        {
            var start = (ulong)guest.Read32(bar.Register);
            if (bar.Kind == BarKind.Memory64)
                start |= (ulong)guest.Read32(bar.Register + 4) << 32;
            yield return new Place(bar, start & bar.AddressMask);
        }
    }

    private static void AssertApart(List<Place> places)
    {
        foreach (var space in places.GroupBy(static place => place.Bar.Space))
        {
            var end = 0ul;
            foreach (var place in space.OrderBy(static place => place.Start))
            {
                Assert.True(place.Start >= end, $"{place} begins before {end:x}");
                end = place.Start + (place.Bar.Space == AddressSpaceKind.Memory ? Math.Max(place.Bar.Size, 4096) : place.Bar.Size);
            }
        }
    }

    private readonly record struct Place(BarDescription Bar, ulong Start);
}
