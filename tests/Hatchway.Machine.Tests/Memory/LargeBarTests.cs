using Hatchway.Machine.Memory;
using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine.Tests.Memory;

/// <summary>BARs as large as GPUs', in the machine's 64-bit window.</summary>
public sealed class LargeBarTests
{
    private const ulong GiB = 1ul << 30;

    [Theory]
    [InlineData(39)]
    [InlineData(40)]
    [InlineData(46)]
    [InlineData(48)]
    public void Three_BARs_of_64_GiB_with_their_small_ones_find_room(int bits)
    {
        var places = Places(MemoryLayout.For(8 * GiB, bits), [64 * GiB, 64 * GiB, 64 * GiB], out var told);

        Assert.Empty(told);
        Assert.Equal([64 * GiB, 128 * GiB, 192 * GiB], places);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(180)]
    public void They_find_room_in_39_bits_beside_much_RAM(int ramGiB)
    {
        Places(MemoryLayout.For((ulong)ramGiB * GiB, 39), [64 * GiB, 64 * GiB, 64 * GiB], out var told);

        Assert.Empty(told);
    }

    [Fact]
    public void What_lies_before_a_large_BAR_is_there_for_smaller_ones()
    {
        // Within 39 bits, 256 GiB fit in the upper half only.
        var places = Places(MemoryLayout.For(8 * GiB, 39), [128 * GiB, 256 * GiB, 64 * GiB, 32 * GiB], out var told);

        Assert.Empty(told);
        Assert.Equal([128 * GiB, 256 * GiB, 64 * GiB, 32 * GiB], places);
    }

    [Fact]
    public void With_too_few_address_bits_of_the_CPU_each_BAR_without_room_is_named_and_the_sum_is_shown()
    {
        var places = Places(MemoryLayout.For(8 * GiB, 37), [64 * GiB, 64 * GiB, 64 * GiB], out var told);

        Assert.Equal([64 * GiB, 0, 0], places);
        Assert.Equal(
            [
                "0000:02:00.0 BAR1 of 64 GiB finds no room and stays without an address: the guest can't use it",
                "0000:03:00.0 BAR1 of 64 GiB finds no room and stays without an address: the guest can't use it",
                "memory above 4 GiB: 0000:01:00.0 BAR1 64 GiB + 0000:02:00.0 BAR1 64 GiB + 0000:03:00.0 BAR1 64 GiB"
                + " + 0000:01:00.0 BAR3 32 MiB + 0000:02:00.0 BAR3 32 MiB + 0000:03:00.0 BAR3 32 MiB"
                + " = 192.094 GiB, with alignment 247 GiB from 0x240000000 on; "
                + "there are 119 GiB, up to the end of the CPU's 37 address bits",
            ],
            told);
    }

    [Fact]
    public void With_too_few_address_bits_of_the_IOMMU_that_is_what_is_named()
    {
        var places = Places(MemoryLayout.For(8 * GiB, 46).Within((1ul << 36) - 1), [64 * GiB], out var told);

        Assert.Equal([0], places);
        Assert.EndsWith("; there are 55 GiB, up to the IOMMU's last address, 0xfffffffff", told[^1], StringComparison.Ordinal);
    }

    // Each function is a GPU: registers in BAR 0, the large BAR in BARs 1 and 2, 32 MiB in BARs 3 and 4.
    private static ulong[] Places(MemoryLayout layout, ulong[] sizes, out IReadOnlyList<string> told)
    {
        NamedFunction[] functions = [.. sizes.Select(static (size, i) => new NamedFunction($"0000:{i + 1:x2}:00.0", Gpu(size)))];
        told = new BarAllocator(layout.Windows).Assign(functions);
        return [.. functions.Select(static named => Address(named.Function))];
    }

    private static AssignedFunction Gpu(ulong size)
    {
        var config = new ConfigBuilder(256).Bar(0, 0, 16 << 20).Bar(1, BarBits.Type64, size).Bar(3, BarBits.Type64, 32 << 20).Build();
        return new Guest(config).Function;
    }

    private static ulong Address(AssignedFunction function)
    {
        var bar = function.Windows.Single(static window => window.Bar.Index.Value == 1).Bar;
        var low = function.ReadConfig(new(bar.Register), AccessWidth.Dword);
        var high = function.ReadConfig(new((ushort)(bar.Register + 4)), AccessWidth.Dword);
        return (low | ((ulong)high << 32)) & bar.AddressMask;
    }
}
