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
    [InlineData(AddressSpaceKind.Port, 0x1000ul, 0x100ul)]
    [InlineData(AddressSpaceKind.Port, 0xFF00ul, 0x100ul)]
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
    [InlineData(AddressSpaceKind.Port, 0xF00ul, 0x200ul)]
    [InlineData(AddressSpaceKind.Port, 0x3F8ul, 8ul)]
    [InlineData(AddressSpaceKind.Port, 0xFFF8ul, 0x10ul)]
    [InlineData(AddressSpaceKind.Port, 0xC000_0000ul, 0x10ul)]
    public void Outside_the_windows_nothing_is_mapped(AddressSpaceKind kind, ulong start, ulong length)
    {
        var target = new ConstantTarget(5);
        Assert.False(_map.TryMap(kind, start, length, target));
        Assert.False((kind == AddressSpaceKind.Port ? _ports : _memory).Unmap(target));
    }

    [Fact]
    public void A_page_is_given_to_who_is_alone_in_it_and_taken_back_when_somebody_comes()
    {
        const ulong Page = 0xC000_0000;
        var first = new ConstantTarget(1);
        var second = new ConstantTarget(2);
        var third = new ConstantTarget(3);
        var given = 0;
        _map.TryMap(AddressSpaceKind.Memory, Page, 0x100, first);
        _map.TryMap(AddressSpaceKind.Memory, Page + 0x1000, 0x1000, second);

        Assert.True(_map.TryClaimPage(Page, first, () => given++));
        _map.TryMap(AddressSpaceKind.Memory, Page + 0xF00, 0x100, third);
        Assert.Equal(1, given);

        // Still shared, so it is not given again; alone once more, it is, and given up once only.
        Assert.False(_map.TryClaimPage(Page, first, () => given++));
        _map.Unmap(AddressSpaceKind.Memory, third);
        Assert.True(_map.TryClaimPage(Page, first, () => given++));
        _map.Unmap(AddressSpaceKind.Memory, first);
        _map.TryMap(AddressSpaceKind.Memory, Page, 0x1000, third);
        Assert.Equal(1, given);
    }

    private ulong Read(AddressSpaceKind kind, ulong address) =>
        (kind == AddressSpaceKind.Port ? _ports : _memory).Read(address, AccessWidth.Byte);
}
