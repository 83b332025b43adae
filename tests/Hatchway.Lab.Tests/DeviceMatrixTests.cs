using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Hatchway.Lab.Tests;

/// <summary>Each device of the matrix works with the guest's own driver. One boot serves all these tests.</summary>
public sealed class DeviceMatrixTests(DeviceMatrix matrix) : IClassFixture<DeviceMatrix>
{
    private readonly DeviceMatrix _matrix = matrix;

    private CommandResult Run => _matrix.Run;

    [Fact]
    public void A_guest_with_all_of_them_powers_off_and_leaves_nothing_behind()
    {
        Assert.True(Run.Status == 1, Run.Output);
        Assert.Contains("RESULT done", Run.Output, StringComparison.Ordinal);
        Guests.AssertNothingLeft(_matrix.Host);
    }

    [Theory]
    [InlineData("02.0", "nvme", "16M", 1)]
    [InlineData("05.0", "sym53c8xx", "4M", 2)]
    [InlineData("09.0", "xhci_hcd", "4M", 3)]
    [InlineData("0a.7", "ehci-pci", "4M", 4)]
    [InlineData("0c.0", "sdhci-pci", "4M", 5)]
    [InlineData("10.0", "nvme", "16M", 6)]
    public void A_disk_is_read_whole_and_takes_what_is_written(string slot, string driver, string size, int seed)
    {
        Assert.Equal(driver, Run.Result($"driver.{slot}"));
        var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Repository.DiskOf(size, seed))));
        Assert.Equal(digest, Run.Result($"disk.{slot}"));
        Assert.Equal("same", Run.Result($"written.{slot}"));
    }

    [Theory]
    [InlineData("03.0", "e1000e")]
    [InlineData("04.0", "8139cp")]
    [InlineData("0d.0", "pcnet32")]
    [InlineData("0e.0", "e1000")]
    [InlineData("0f.0", "ne2k-pci")]
    public void A_network_card_sends_and_receives(string slot, string driver)
    {
        Assert.Equal(driver, Run.Result($"driver.{slot}"));
        Assert.Equal("3/3", Run.Result($"ping.{slot}"));
    }

    [Theory]
    [InlineData("PCI-MSI", "nvme0q1")]
    [InlineData("PCI-MSI", "edu")]
    [InlineData("PCI-MSI", "xhci_hcd")]
    [InlineData("IO-APIC", "ehci_hcd")]
    [InlineData("IO-APIC", "uhci_hcd")]
    [InlineData("IO-APIC", "sym53c8xx")]
    [InlineData("IO-APIC", "snd_intel8x0")]
    public void Interrupts_come_by_the_way_that_the_driver_chose(string controller, string name) =>
        Assert.True(DeviceMatrix.Interrupts(Run, controller, name, cpu: 0) > 0, string.Join('\n', Run.Section("interrupts")));

    [Theory]
    [InlineData("0:4:0", "BAR1", "0+100 Direct")]
    [InlineData("0:5:0", "BAR1", "0+400 Direct")]
    [InlineData("0:12:0", "BAR0", "0+100 Direct")]
    [InlineData("0:13:0", "BAR1", "0+20 Direct")]
    public void A_bar_smaller_than_a_page_that_has_its_page_for_itself_is_mapped(string slot, string bar, string segment)
    {
        using var statistics = JsonDocument.Parse(File.ReadAllText(_matrix.Host.PathOf("stats.json")));
        var device = statistics.RootElement.GetProperty("devices").EnumerateArray().Single(d => d.GetProperty("guest").GetString() == slot);
        var described = device.GetProperty("bars").EnumerateArray().Single(b => b.GetProperty("name").GetString() == bar);

        Assert.Equal(segment, described.GetProperty("segments").EnumerateArray().Single().GetString());
    }

    [Fact]
    public void Edu_computes_interrupts_and_copies()
    {
        Assert.Equal("3628800", Run.Result("edu.factorial"));
        Assert.Equal("3", Run.Result("edu.interrupts"));
        Assert.Equal("1000", Run.Result("edu.dma"));
    }

    [Fact]
    public void Pci_testdev_counts_every_write_to_memory_and_ports()
    {
        Assert.Equal("5", Run.Result("testdev.07.0.bar0"));
        Assert.Equal("5", Run.Result("testdev.07.0.bar1"));
    }

    [Fact]
    public void What_the_guest_writes_to_shared_memory_the_host_reads()
    {
        Assert.Equal("0x0123456789abcdef", Run.Result("ivshmem.08.0"));
        Assert.Equal("0x0123", Run.Result("ivshmem.08.0.word"));
        // A driver, vfio-pci included, must release a device before a program can use its registers.
        const string Host = "0000:00:0c.0";
        _matrix.Host.Check($"cd /sys/bus/pci/devices/{Host} && echo {Host} > driver/unbind && echo 1 > enable");
        var read = _matrix.Host.Check($"{Repository.RegisterProgram} {Host} 2 0xffff8 8");
        _matrix.Host.Bind(Host, "vfio-pci");
        Assert.StartsWith("value=0x0123456789abcdef ", read, StringComparison.Ordinal);
    }

    [Fact]
    public void A_full_speed_device_comes_to_a_companion_controller_of_the_same_slot()
    {
        Assert.Equal("uhci_hcd", Run.Result("driver.0a.1"));
        Assert.StartsWith("03 usbhid 12", Run.Result("usb.0a.1"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_guest_plays_is_heard()
    {
        const int HeaderBytes = 44;
        const int FrameBytes = 4;
        Assert.Equal("frames=24000", Run.Result("sound"));
        var bytes = File.ReadAllBytes(_matrix.Sound).AsSpan(HeaderBytes);
        var heard = 0;
        var edges = 0;
        var last = 0;
        for (; bytes.Length >= FrameBytes; bytes = bytes[FrameBytes..])
        {
            var sample = BinaryPrimitives.ReadInt16LittleEndian(bytes);
            // The tone's amplitude is 8192; the mixer may round.
            if (Math.Abs(sample) is < 8000 or > 8400)
                continue;
            heard++;
            if (Math.Sign(sample) != last)
                edges++;
            last = Math.Sign(sample);
        }
        // A busy emulator plays late and leaves gaps, and a device whose driver is late repeats its ring. But what was played is the tone:
        // an edge every 48 frames.
        Assert.InRange(heard, 12_000, 48_000);
        Assert.InRange(heard / (double)edges, 40, 56);
    }

    [Fact]
    public void The_guests_kernel_warns_of_no_device() => Assert.DoesNotContain(
        Run.Section("kernel warnings"),
        static line => line.Contains("PCI", StringComparison.Ordinal) || line.Contains("nobody cared", StringComparison.Ordinal)
            || line.Contains("timed out", StringComparison.OrdinalIgnoreCase));

    [Fact]
    public void Interrupts_that_linux_moves_from_cpu_to_cpu_under_load_all_come()
    {
        const int Rounds = 5;
        var initrd = _matrix.Host.PathOf("affinity.cpio");
        Repository.MakeInitrd(File.ReadAllText(Path.Combine(Repository.Root, "lab/scripts/affinity.sh")), initrd);

        // MSI-X of the xHCI and the NIC, and INTx of the SCSI controller.
        var run = _matrix.Host.Run(
            Guests.Linux(
                Repository.Kernel,
                initrd,
                "-c 2 -m 384M -s 3:0,passthru,0/7/0 -s 5:0,passthru,0/9/0 -s 9:0,passthru,0/13/0",
                "net=10.0.17"),
            Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        foreach (var (slot, seed) in new[] { ("05.0", 2), ("09.0", 3) })
        {
            var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Repository.DiskOf("4M", seed))));
            Assert.Equal($"{Rounds} {digest}", run.Result($"disk.{slot}"));
        }
        Assert.Equal("10/10", run.Result("ping"));
        Assert.True(int.Parse(run.Result("moves")!, CultureInfo.InvariantCulture) >= 100, run.Output);
        foreach (var name in new[] { "xhci_hcd", "sym53c8xx", "eth0-rx-0" })
        {
            for (var cpu = 0; cpu < 2; cpu++)
                Assert.True(DeviceMatrix.Interrupts(run, "", name, cpu) > 0, $"{name} on CPU {cpu}:\n{run.Output}");
        }
        Assert.DoesNotContain(
            run.Section("kernel warnings"),
            static line => line.Contains("irq", StringComparison.OrdinalIgnoreCase)
                || line.Contains("timed out", StringComparison.Ordinal));
    }
}
