using System.Globalization;

namespace Hatchway.Lab.Tests;

/// <summary>BARs as large as GPUs', backed by memory;
/// one exceeds the 39 bits that the host's IOMMU can address.</summary>
public sealed class LargeBarTests
{
    [Fact]
    public void Three_of_64_GiB_are_read_and_written_to_their_ends_and_for_one_of_512_the_sum_is_shown()
    {
        const ulong Size = 64ul << 30;
        using var host = new LabHost(
            "--address-bits", "42", "-d", "ivshmem-plain,size=64G", "-d", "ivshmem-plain,size=64G", "-d", "ivshmem-plain,size=64G",
            "-d", "ivshmem-plain,size=512G", "--bind", "all");
        var initrd = host.PathOf("large.cpio");
        Repository.MakeInitrd(
            """
            for slot in 04.0 05.0 06.0; do
                echo "RESULT size.$slot=$(stat -c %s /sys/bus/pci/devices/0000:00:$slot/resource2)"
                echo 1 > /sys/bus/pci/devices/0000:00:$slot/enable
            done
            for slot in 04.0 05.0 06.0; do
                for at in 0 0x800000000 0xffffff000 0xffffffff8; do
                    regread 0000:00:$slot 2 $at 8 1 $((0x${slot%.*}00000000000 + $at)) > /dev/null
                done
            done
            for slot in 04.0 05.0 06.0; do
                for at in 0 0x800000000 0xffffff000 0xffffffff8; do
                    echo "RESULT $slot.$at=$(regread 0000:00:$slot 2 $at 8 | cut -d ' ' -f 1)"
                done
            done
            """,
            initrd);

        // DMA between peers would cost this kernel half a minute for each 64 GiB, since it maps page by page.
        var slots = string.Join(' ', Enumerable.Range(0, 4).Select(static i => $"-s {4 + i}:0,passthru,0/{6 + i}/0,peers=off"));
        var run = host.Run(
            Guests.Linux(
                Repository.Kernel,
                initrd,
                $"--stats {host.PathOf("stats.json")} -c 1 -m 384M {slots}"),
            Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        for (var slot = 4ul; slot <= 6; slot++)
        {
            Assert.Equal(Size.ToString(CultureInfo.InvariantCulture), run.Result($"size.0{slot}.0"));
            foreach (var at in new[] { 0ul, Size / 2, Size - 4096, Size - 8 })
            {
                var name = string.Create(CultureInfo.InvariantCulture, $"0{slot}.0.{(at == 0 ? "0" : $"0x{at:x}")}");
                Assert.Equal($"value=0x{(slot << 44) + at:x16}", run.Result(name));
            }
        }
        var told = run.Output.Split('\n').Where(static line => line.Contains("GiB", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, told.Length);
        Assert.Contains(
            "0000:00:09.0 BAR2 of 512 GiB finds no room and stays without an address: the guest can't use it",
            told[0], StringComparison.Ordinal);
        Assert.Contains("BAR2 64 GiB = 704 GiB, with alignment ", told[1], StringComparison.Ordinal);
        Assert.EndsWith("up to the IOMMU's last address, 0x7fffffffff", told[1].TrimEnd('\r'), StringComparison.Ordinal);
    }
}
