using Hatchway.Machine.Memory;
using Hatchway.Pci.Bars;

namespace Hatchway.Machine.Tests.Memory;

public sealed class MemoryLayoutTests
{
    private const ulong MiB = 1ul << 20;
    private const ulong GiB = 1ul << 30;

    [Theory]
    [InlineData(256 * MiB)]
    [InlineData(3 * GiB)]
    public void Up_to_three_GiB_are_one_range_from_zero(ulong ram) =>
        Assert.Equal([new RamRange(0, 0, ram)], MemoryLayout.For(ram, 40).Ram);

    [Theory]
    [InlineData(3 * GiB + 512 * MiB)]
    [InlineData(64 * GiB)]
    public void What_does_not_fit_below_the_devices_goes_on_at_four_GiB(ulong ram) =>
        Assert.Equal(
            [new RamRange(0, 0, 3 * GiB), new RamRange(4 * GiB, 3 * GiB, ram - (3 * GiB))],
            MemoryLayout.For(ram, 40).Ram);

    [Theory]
    [InlineData(256 * MiB, 36, 32, 64)]
    [InlineData(3 * GiB + 512 * MiB, 36, 32, 64)]
    [InlineData(256 * MiB, 40, 64, 1024)]
    [InlineData(3 * GiB, 40, 64, 1024)]
    [InlineData(64 * GiB, 40, 128, 1024)]
    [InlineData(64 * GiB, 48, 128, 256 * 1024)]
    [InlineData(256 * MiB, 52, 64, 256 * 1024)]
    [InlineData(40 * GiB, 36, 48, 64)]
    public void The_64_bit_window_lies_above_RAM_and_ends_with_the_address_space(ulong ram, int bits, int startGiB, int endGiB)
    {
        var window = MemoryLayout.For(ram, bits).Mmio64;
        Assert.Equal(new BridgeWindow((ulong)startGiB * GiB, (ulong)(endGiB - startGiB) * GiB), window);
    }

    [Theory]
    [InlineData(32, 3 * GiB)]
    [InlineData(36, 63 * GiB)]
    public void A_full_address_space_has_no_64_bit_window(int bits, ulong ram)
    {
        Assert.Equal(ram, MemoryLayout.MaximumRam(bits));
        Assert.Equal(0ul, MemoryLayout.For(ram, bits).Mmio64.Length);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(48)]
    public void From_40_bits_on_a_64_GiB_BAR_finds_its_place_beside_64_GiB_of_RAM(int bits)
    {
        var window = MemoryLayout.For(64 * GiB, bits).Mmio64;
        Assert.Equal(0ul, window.Start % (64 * GiB));
        Assert.True(window.Length >= 64 * GiB);
    }

    [Theory]
    [InlineData(36)]
    [InlineData(40)]
    [InlineData(48)]
    public void Nothing_overlaps(int bits)
    {
        foreach (var ram in (ulong[])[256 * MiB, 3 * GiB, 3 * GiB + 512 * MiB, 63 * GiB])
        {
            var layout = MemoryLayout.For(ram, bits);
            List<(ulong Start, ulong End)> taken =
            [
                .. layout.Ram.Select(range => (range.GuestPhysical, range.End)),
                (layout.Mmio32.Start, layout.Mmio32.End),
                (layout.EcamStart, layout.EcamStart + MiB),
                (MemoryLayout.IoApicAddress, MemoryLayout.IoApicAddress + 0x1000),
                (MemoryLayout.LocalApicAddress, MemoryLayout.LocalApicAddress + 0x1000),
                (MemoryLayout.IdentityMapAddress, MemoryLayout.IdentityMapAddress + 0x1000),
                (MemoryLayout.TssAddress, MemoryLayout.TssAddress + 0x3000),
                (layout.Mmio64.Start, layout.Mmio64.End),
            ];
            taken.RemoveAll(range => range.Start == range.End);
            taken.Sort();
            Assert.All(taken.Zip(taken.Skip(1)), pair => Assert.True(pair.First.End <= pair.Second.Start));
        }
    }

    [Theory]
    [InlineData(0ul, 40)]
    [InlineData(256 * MiB + 1, 40)]
    [InlineData(64 * GiB, 36)]
    [InlineData(256 * MiB, 31)]
    [InlineData(256 * MiB, 53)]
    public void What_can_not_be_laid_out_is_refused(ulong ram, int bits) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryLayout.For(ram, bits));

    [Theory]
    [InlineData(256ul << 20, 0x8000_0000ul)]
    [InlineData(2ul << 30, 0x8000_0000ul)]
    [InlineData((2ul << 30) + 4096, 0xC000_0000ul)]
    [InlineData(8ul << 30, 0xC000_0000ul)]
    public void With_firmware_the_32_bit_window_is_where_OVMF_takes_it_to_be_and_the_ECAM_behind_it(ulong ram, ulong start)
    {
        var layout = MemoryLayout.ForFirmware(ram, 40);

        Assert.Equal(start, layout.Mmio32.Start);
        Assert.Equal(0xFC00_0000ul, layout.Mmio32.End);
        Assert.Equal(0xFC00_0000ul, layout.EcamStart);
    }

    [Fact]
    public void With_firmware_all_above_RAM_is_forwarded()
    {
        var layout = MemoryLayout.ForFirmware(6ul << 30, 40);

        Assert.Equal(7ul << 30, layout.Mmio64.Start);
        Assert.Equal(1ul << 40, layout.Mmio64.End);
    }
}
