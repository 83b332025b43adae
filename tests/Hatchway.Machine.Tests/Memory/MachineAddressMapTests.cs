using Hatchway.Machine.Memory;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Memory;

public sealed class MachineAddressMapTests
{
    private readonly AddressSpace _memory = new(1ul << 52);
    private readonly AddressSpace _ports = new(0x1_0000);
    private readonly MachineAddressMap _map;

    public MachineAddressMapTests() => _map = new MachineAddressMap(_memory, _ports, MemoryLayout.For(8ul << 30, 40));

    [Theory]
    [InlineData(AddressSpaceKind.Memory, 0xC000_0000ul, 0x2000_0000ul)]
    [InlineData(AddressSpaceKind.Memory, 0xDFFF_F000ul, 0x1000ul)]
    [InlineData(AddressSpaceKind.Memory, 64ul << 30, 64ul << 30)]
    [InlineData(AddressSpaceKind.Io, 0x1000ul, 0x100ul)]
    [InlineData(AddressSpaceKind.Io, 0xFF00ul, 0x100ul)]
    public void A_range_inside_a_window_answers(AddressSpaceKind kind, ulong start, ulong length)
    {
        var target = new ConstantTarget(5);
        Assert.True(_map.TryMap(kind, start, length, target));
        Assert.Equal(5ul, Read(kind, start + length - 1));
        _map.Unmap(kind, target);
        Assert.Equal(0xFFul, Read(kind, start + length - 1));
    }

    [Theory]
    [InlineData(AddressSpaceKind.Memory, 0ul, 0x1000ul)]
    [InlineData(AddressSpaceKind.Memory, 0xBFFF_F000ul, 0x2000ul)]
    [InlineData(AddressSpaceKind.Memory, 0xDFFF_F000ul, 0x2000ul)]
    [InlineData(AddressSpaceKind.Memory, 0xE000_0000ul, 0x1000ul)]
    [InlineData(AddressSpaceKind.Memory, 0xFEE0_0000ul, 0x1000ul)]
    [InlineData(AddressSpaceKind.Memory, 4ul << 30, 0x1000ul)]
    [InlineData(AddressSpaceKind.Memory, 1ul << 40, 0x1000ul)]
    [InlineData(AddressSpaceKind.Memory, 0xFFFF_FFFF_FFFF_F000ul, 0x2000ul)]
    [InlineData(AddressSpaceKind.Memory, 0xC000_0000ul, 0ul)]
    [InlineData(AddressSpaceKind.Io, 0xF00ul, 0x200ul)]
    [InlineData(AddressSpaceKind.Io, 0x3F8ul, 8ul)]
    [InlineData(AddressSpaceKind.Io, 0xFFF8ul, 0x10ul)]
    [InlineData(AddressSpaceKind.Io, 0xC000_0000ul, 0x10ul)]
    public void Outside_the_windows_nothing_is_mapped(AddressSpaceKind kind, ulong start, ulong length)
    {
        var target = new ConstantTarget(5);
        Assert.False(_map.TryMap(kind, start, length, target));
        Assert.False((kind == AddressSpaceKind.Io ? _ports : _memory).Unmap(target));
    }

    [Fact]
    public void A_page_is_lost_when_somebody_comes_beside_its_owner_and_regained_when_that_one_goes()
    {
        const ulong Page = 0xC000_0000;
        var first = new ConstantTarget(1);
        var second = new ConstantTarget(2);
        var claimant = new Claimant();
        _map.TryMap(AddressSpaceKind.Memory, Page, 0x100, first);
        _map.TryMap(AddressSpaceKind.Memory, Page + 0x1000, 0x1000, new ConstantTarget(3));

        _map.Claim(Page, 0x1000, first, claimant);
        Assert.Equal("", claimant.Told);
        _map.TryMap(AddressSpaceKind.Memory, Page + 0xF00, 0x100, second);
        Assert.Equal("lose ", claimant.Told);
        _map.Unmap(AddressSpaceKind.Memory, second);
        Assert.Equal("lose gain ", claimant.Told);

        // The claim goes with its owner.
        _map.Unmap(AddressSpaceKind.Memory, first);
        _map.TryMap(AddressSpaceKind.Memory, Page, 0x1000, second);
        Assert.Equal("lose gain ", claimant.Told);
    }

    [Fact]
    public void Of_two_at_one_place_the_first_answers_and_has_the_pages_until_it_goes()
    {
        const ulong Place = 64ul << 30;
        var first = new ConstantTarget(1);
        var second = new ConstantTarget(2);
        var firstClaimant = new Claimant();
        var secondClaimant = new Claimant();
        _map.TryMap(AddressSpaceKind.Memory, Place, 0x4000, first);
        _map.Claim(Place, 0x4000, first, firstClaimant);
        _map.TryMap(AddressSpaceKind.Memory, Place, 0x4000, second);
        _map.Claim(Place, 0x4000, second, secondClaimant);

        Assert.Equal(1ul, Read(AddressSpaceKind.Memory, Place));
        Assert.Equal(("", "lose "), (firstClaimant.Told, secondClaimant.Told));

        _map.Unmap(AddressSpaceKind.Memory, first);
        Assert.Equal(2ul, Read(AddressSpaceKind.Memory, Place));
        Assert.Equal(("", "lose gain "), (firstClaimant.Told, secondClaimant.Told));
    }

    private ulong Read(AddressSpaceKind kind, ulong address) =>
        (kind == AddressSpaceKind.Io ? _ports : _memory).Read(address, AccessWidth.Byte);

    private sealed class Claimant : IPageClaimant
    {
        public string Told { get; private set; } = "";

        public void Lose() => Told += "lose ";

        public void Gain() => Told += "gain ";
    }
}
