using Hatchway.Machine.Memory;
using Hatchway.Pci.Topology;

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
    [InlineData(256 * MiB, 36, 4, 64)]
    [InlineData(3 * GiB + 512 * MiB, 36, 5, 64)]
    [InlineData(256 * MiB, 40, 4, 1024)]
    [InlineData(3 * GiB, 40, 4, 1024)]
    [InlineData(64 * GiB, 40, 65, 1024)]
    [InlineData(64 * GiB, 48, 65, 256 * 1024)]
    [InlineData(256 * MiB, 52, 4, 256 * 1024)]
    [InlineData(40 * GiB, 36, 41, 64)]
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
    [InlineData(39, 4, 512)]
    [InlineData(36, 4, 64)]
    [InlineData(48, 4, 1024)]
    [InlineData(64, 4, 1024)]
    public void The_64_bit_window_ends_where_the_IOMMU_ends_when_that_is_before_the_CPUs_end(int iommuBits, int startGiB, int endGiB)
    {
        var layout = MemoryLayout.For(2 * GiB, 40);
        var within = layout.Within(iommuBits == 64 ? ulong.MaxValue : (1ul << iommuBits) - 1);
        Assert.Equal(new BridgeWindow((ulong)startGiB * GiB, (ulong)(endGiB - startGiB) * GiB), within.Mmio64);
        Assert.Equal(layout.Ram, within.Ram);
    }

    [Fact]
    public void An_IOMMU_that_ends_below_RAMs_end_leaves_no_64_bit_window() =>
        Assert.Equal(0ul, MemoryLayout.For(64 * GiB, 40).Within((1ul << 36) - 1).Mmio64.Length);

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
    public void With_firmware_ports_are_where_OVMF_takes_them_to_be()
    {
        var layout = MemoryLayout.ForFirmware(2ul << 30, 40);

        Assert.Equal(new BridgeWindow(0xC000, 0x4000), layout.Ports);
        Assert.Equal(0xB000, layout.PowerManagementPorts);
    }

    [Fact]
    public void With_firmware_all_above_RAM_is_forwarded()
    {
        var layout = MemoryLayout.ForFirmware(6ul << 30, 40);

        Assert.Equal(7ul << 30, layout.Mmio64.Start);
        Assert.Equal(1ul << 40, layout.Mmio64.End);
    }
}
