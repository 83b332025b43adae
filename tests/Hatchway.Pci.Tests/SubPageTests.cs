using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Tests;

/// <summary>BARs smaller than a page: mapped where they are alone on their page, in the host and in the guest; else trapped.</summary>
public sealed class SubPageTests : IDisposable
{
    private const ulong Page = 0xC000_0000;
    private readonly CallLog _log = new();
    private readonly FakeAddressMap _map;
    private readonly List<AssignedFunction> _functions = [];

    public SubPageTests() => _map = new FakeAddressMap(_log);

    public void Dispose() => _functions.ForEach(static function => function.Dispose());

    [Fact]
    public void A_small_BAR_whose_page_the_host_grants_is_mapped_as_a_page()
    {
        var (function, region) = Add(mappable: true);
        Place(function, Page);

        Assert.Equal(new FakeMapping(region, 0, 0x1000, Page), Assert.Single(region.Mapped));
    }

    [Fact]
    public void One_that_the_host_does_not_grant_is_trapped_and_nothing_beyond_its_bytes_is_reached()
    {
        var (function, region) = Add(mappable: false);
        Place(function, Page);

        Assert.Empty(region.Mapped);
        Assert.Equal(FakeRegion.Pattern(0xFC, AccessWidth.Dword), _map.Read(AddressSpaceKind.Memory, Page + 0xFC, AccessWidth.Dword));
        Assert.Equal(0xFFFF_FFFFul, _map.Read(AddressSpaceKind.Memory, Page + 0x100, AccessWidth.Dword));
    }

    [Fact]
    public void It_is_trapped_when_the_user_says_so()
    {
        var (function, region) = Add(mappable: true, new AssignedOptions { TrapSubPage = true });
        Place(function, Page);

        Assert.Empty(region.Mapped);
        Assert.Equal(FakeRegion.Pattern(8, AccessWidth.Byte), _map.Read(AddressSpaceKind.Memory, Page + 8, AccessWidth.Byte));
    }

    [Fact]
    public void When_another_BAR_comes_into_the_guests_page_the_mapping_goes_and_both_answer()
    {
        var (first, firstRegion) = Add(mappable: true);
        var (second, secondRegion) = Add(mappable: true);
        Place(first, Page);

        Place(second, Page + 0x100);

        Assert.Empty(firstRegion.Mapped);
        Assert.Empty(secondRegion.Mapped);
        Assert.Equal(FakeRegion.Pattern(4, AccessWidth.Dword), _map.Read(AddressSpaceKind.Memory, Page + 4, AccessWidth.Dword));
        Assert.Equal(FakeRegion.Pattern(4, AccessWidth.Dword), _map.Read(AddressSpaceKind.Memory, Page + 0x104, AccessWidth.Dword));
    }

    [Fact]
    public void The_page_is_mapped_again_when_the_other_BAR_leaves_it()
    {
        var (first, region) = Add(mappable: true);
        var (second, _) = Add(mappable: true);
        Place(first, Page);
        Place(second, Page + 0x100);

        Place(second, Page + 0x1000);

        Assert.Single(region.Mapped);
    }

    [Fact]
    public void A_BAR_that_comes_second_into_a_page_is_trapped_and_mapped_again_once_it_is_alone_elsewhere()
    {
        var (first, _) = Add(mappable: false);
        var (second, region) = Add(mappable: true);
        Place(first, Page + 0x800);
        Place(second, Page);
        Assert.Empty(region.Mapped);

        Place(second, Page + 0x1000);

        Assert.Equal(Page + 0x1000, Assert.Single(region.Mapped).GuestPhysical);
    }

    [Fact]
    public void A_small_BAR_that_is_not_at_the_start_of_a_page_is_trapped()
    {
        var (function, region) = Add(mappable: true);
        Place(function, Page + 0x400);

        Assert.Empty(region.Mapped);
        Assert.Equal(FakeRegion.Pattern(0, AccessWidth.Word), _map.Read(AddressSpaceKind.Memory, Page + 0x400, AccessWidth.Word));
    }

    private (AssignedFunction Function, FakeRegion Region) Add(bool mappable, AssignedOptions? options = null)
    {
        var config = new ConfigBuilder(256).Bar(0, 0, 0x100).Build();
        var host = new FakeHostFunction(config, _log);
        var region = new FakeRegion("small", 0x100, _log, mappable ? [new MappableArea(0, 0x100)] : []);
        host.Replace(0, region);
        var function = new AssignedFunction(host, _map, new BarHandlerList(), options ?? new AssignedOptions());
        _functions.Add(function);
        return (function, region);
    }

    private static void Place(AssignedFunction function, ulong address)
    {
        function.WriteConfig(new(Header.Bar0), AccessWidth.Dword, (uint)address);
        function.WriteConfig(new(Header.Command), AccessWidth.Word, (uint)CommandBits.Memory);
    }
}
