using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Vfio;

namespace Hatchway.Passthrough.Tests.Vfio;

/// <summary>RAM is mapped around an IOMMU's reserved ranges and not beyond its end.</summary>
public sealed class DmaRangesTests
{
    private const ulong GiB = 1ul << 30;
    private static readonly nint Here = unchecked((nint)0x7F00_0000_0000);

    // A PC's ranges, with 39 address bits: all except the addresses of messages.
    private static readonly IovaRange[] Pc = [new(0, 0xFEDF_FFFF), new(0xFEF0_0000, (1ul << 39) - 1)];

    // AMD's: neither those of HyperTransport.
    private static readonly IovaRange[] Amd = [new(0, 0xFEDF_FFFF), new(0xFEF0_0000, 0xFC_FFFF_FFFF), new(1ul << 40, (1ul << 48) - 1)];

    private static GuestRamRange[] Ram(ulong low, ulong high) =>
        [new(0, Here, low * GiB), new(4 * GiB, Here + (nint)(low * GiB), high * GiB)];

    [Fact]
    public void Ram_in_one_range_is_one_mapping() =>
        Assert.Equal([new(4 * GiB, Here, 8 * GiB)], DmaRanges.Mappable(new(4 * GiB, Here, 8 * GiB), Pc));

    [Fact]
    public void When_the_kernel_does_not_say_all_is_tried() =>
        Assert.Equal([new(0, Here, 3 * GiB)], DmaRanges.Mappable(new(0, Here, 3 * GiB), []));

    [Fact]
    public void Ram_over_a_reserved_range_is_mapped_on_both_sides_of_it() =>
        Assert.Equal(
            [new(0, Here, 0xFEE0_0000), new(0xFEF0_0000, Here + unchecked((nint)0xFEF0_0000), 5 * GiB - 0xFEF0_0000)],
            DmaRanges.Mappable(new(0, Here, 5 * GiB), Pc));

    [Fact]
    public void Ram_beyond_the_last_address_is_left_out()
    {
        Assert.Equal([new(510 * GiB, Here, 2 * GiB)], DmaRanges.Mappable(new(510 * GiB, Here, 4 * GiB), Pc));
        Assert.Empty(DmaRanges.Mappable(new(512 * GiB, Here, GiB), Pc));
    }

    [Theory]
    [InlineData(1012, 3, "from fd00000000h to ffffffffffh", "1011 GiB (-m)")]
    [InlineData(2048, 1, "from fd00000000h to ffffffffffh", "1009 GiB (-m)")]
    public void A_guest_whose_high_RAM_runs_into_what_the_IOMMU_reserves_is_refused_with_what_fits(
        ulong gibibytes, ulong low, string range, string most)
    {
        var failure = Assert.Throws<PassthroughException>(() => DmaRanges.CheckHighRam(Ram(low, gibibytes), Amd));

        Assert.Contains(range, failure.Message, StringComparison.Ordinal);
        Assert.Contains(most, failure.Message, StringComparison.Ordinal);
        DmaRanges.CheckHighRam(Ram(low, 1008), Amd);
    }

    [Fact]
    public void A_guest_whose_high_RAM_goes_on_behind_the_IOMMUs_last_address_is_refused() => Assert.Contains(
        "from 8000000000h on, which the host's IOMMU does not translate, and so not all of this guest's RAM: give it no more than 511 GiB",
        Assert.Throws<PassthroughException>(() => DmaRanges.CheckHighRam(Ram(3, 600), Pc)).Message, StringComparison.Ordinal);

    [Fact]
    public void Reserved_addresses_in_low_RAM_and_a_kernel_that_names_none_refuse_no_guest()
    {
        DmaRanges.CheckHighRam(Ram(3, 8), [new(0, 0x7FFF_FFFF), new(0x8100_0000, ulong.MaxValue)]);
        DmaRanges.CheckHighRam(Ram(3, 2048), []);
    }

    [Fact]
    public void Only_whole_pages_are_mapped() =>
        Assert.Equal([new(0x2000, Here + 0x1000, 0x3000)], DmaRanges.Mappable(new(0x1000, Here, 0x9000), [new(0x1800, 0x57FF)]));

    [Fact]
    public void Ranges_at_the_end_of_64_bits_do_not_wrap()
    {
        Assert.Equal([new(0, Here, GiB)], DmaRanges.Mappable(new(0, Here, GiB), [new(0, ulong.MaxValue)]));
        Assert.Empty(DmaRanges.Mappable(new(0, Here, GiB), [new(ulong.MaxValue - 0xFF, ulong.MaxValue)]));
    }
}
