using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Tests;

/// <summary>BARs that a guest places over one another: the first one answers and is mapped, and the other takes over when it
/// goes.</summary>
public sealed class OverlapTests : IDisposable
{
    private const ulong Place = 0xC000_0000;
    private const ulong Size = 0x4000;
    private readonly CallLog _log = new();
    private readonly FakeAddressMap _map;
    private readonly List<AssignedFunction> _functions = [];

    public OverlapTests() => _map = new FakeAddressMap(_log);

    public void Dispose() => _functions.ForEach(static function => function.Dispose());

    [Fact]
    public void Of_two_direct_BARs_at_one_address_the_first_is_mapped_and_the_second_is_not()
    {
        var (first, firstRegion) = Add("first");
        var (second, secondRegion) = Add("second");
        Put(first, Place);
        Put(second, Place);

        Assert.Equal(Place, Assert.Single(firstRegion.Mapped).GuestPhysical);
        Assert.Empty(secondRegion.Mapped);
    }

    [Fact]
    public void When_the_first_moves_away_the_second_becomes_direct_only_after_the_first_is_unmapped()
    {
        var (first, firstRegion) = Add("first");
        var (second, secondRegion) = Add("second");
        Put(first, Place);
        Put(second, Place);
        _log.Clear();

        Put(first, Place + Size);

        Assert.Equal(
            ["first.unmap 0 4000", "second.map 0 4000 at c0000000", "first.map 0 4000 at c0004000"], _log.Of("first.", "second."));
        Assert.Single(firstRegion.Mapped);
        Assert.Single(secondRegion.Mapped);
    }

    [Fact]
    public void When_the_first_stops_decoding_or_is_taken_away_the_second_becomes_direct()
    {
        var (first, _) = Add("first");
        var (second, secondRegion) = Add("second");
        Put(first, Place);
        Put(second, Place);
        first.WriteConfig(new(Header.Command), AccessWidth.Word, 0);
        Assert.Single(secondRegion.Mapped);

        // Now the other BAR is the first.
        Put(first, Place);
        Assert.Single(secondRegion.Mapped);
        second.Dispose();
        Assert.Empty(secondRegion.Mapped);
    }

    [Fact]
    public void A_trapped_BAR_that_came_first_is_not_hidden_by_a_direct_one()
    {
        var (first, _) = Add("first", direct: false, size: 0x1000);
        var (second, secondRegion) = Add("second");
        Put(first, Place + Size - 0x1000);
        Put(second, Place);
        Assert.Empty(secondRegion.Mapped);
        _log.Clear();

        _map.Read(AddressSpaceKind.Memory, Place + Size - 0x1000, AccessWidth.Dword);
        Assert.Equal(["first.read 0 4"], _log.Lines);

        first.Dispose();
        Assert.Single(secondRegion.Mapped);
    }

    [Fact]
    public void A_BAR_that_came_second_and_goes_first_changes_nothing_and_is_not_mapped_afterwards()
    {
        var (first, firstRegion) = Add("first");
        var (second, secondRegion) = Add("second");
        Put(first, Place);
        Put(second, Place);
        _log.Clear();

        second.Dispose();
        Assert.Empty(_log.Of("first.", "second."));
        Assert.Single(firstRegion.Mapped);
        first.Dispose();
        Assert.Empty(secondRegion.Mapped);
    }

    [Fact]
    public void Of_three_each_follows_in_the_order_in_which_they_came()
    {
        var (first, firstRegion) = Add("first");
        var (second, secondRegion) = Add("second");
        var (third, thirdRegion) = Add("third");
        Put(first, Place);
        Put(second, Place);
        Put(third, Place);

        first.Dispose();
        Assert.Equal((0, 1, 0), (firstRegion.Mapped.Count, secondRegion.Mapped.Count, thirdRegion.Mapped.Count));
        second.Dispose();
        Assert.Equal((0, 0, 1), (firstRegion.Mapped.Count, secondRegion.Mapped.Count, thirdRegion.Mapped.Count));
    }

    [Fact]
    public void Doorbells_are_wired_only_while_no_BAR_that_came_first_answers_there()
    {
        var (first, _) = Add("first", direct: false, size: 0x1000);
        var (second, secondRegion) = Add("second", direct: false);
        secondRegion.Doorbells = new MappableArea(0x3000, 0x1000);
        Put(first, Place + 0x3000);

        Put(second, Place);
        Assert.Empty(_log.Of("second.wire"));
        Put(first, Place);
        Assert.Equal(["second.wire at c0000000"], _log.Of("second."));
        _log.Clear();
        first.Dispose();
        second.Dispose();
        Assert.Equal(["second.unwire"], _log.Of("second."));
    }

    private (AssignedFunction Function, FakeRegion Region) Add(string name, bool direct = true, ulong size = Size)
    {
        var host = new FakeHostFunction(new ConfigBuilder(256).Bar(0, 0, size).Build(), _log);
        var region = new FakeRegion(name, size, _log, direct ? [new MappableArea(0, size)] : []);
        host.Replace(0, region);
        var function = new AssignedFunction(host, _map, new BarHandlerList(), new AssignedOptions());
        _functions.Add(function);
        return (function, region);
    }

    private static void Put(AssignedFunction function, ulong address)
    {
        function.WriteConfig(new(Header.Bar0), AccessWidth.Dword, (uint)address);
        function.WriteConfig(new(Header.Command), AccessWidth.Word, (uint)CommandBits.Memory);
    }
}
