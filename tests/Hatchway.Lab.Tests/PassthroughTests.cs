using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Hatchway.Lab.Tests;

/// <summary>An emulated host that gives away an NVMe disk, two NICs and QEMU's edu device.</summary>
public sealed class FourDevices : IDisposable
{
    public LabHost Host { get; } = new("-d", "nvme", "-d", "e1000e", "-d", "rtl8139", "-d", "edu", "--bind", "all");

    public void Dispose() => Host.Dispose();
}

/// <summary>Real drivers in a Linux guest, on real KVM and VFIO.</summary>
public sealed class PassthroughTests(FourDevices devices) : IClassFixture<FourDevices>
{
    private const string Nvme = "0000:00:06.0";
    private const string AllDevices = "-s 4:0,passthru,0/6/0 -s 5:0,passthru,0/7/0 -s 6:0,passthru,0000:00:08.0 -s 7:0,passthru,0/9/0";
    private readonly LabHost _host = devices.Host;

    private static string DiskDigest => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Repository.Disk)));

    [Fact]
    public void Four_devices_work_at_once_in_one_guest_and_afterwards_on_the_host_again()
    {
        var initrd = _host.PathOf("four.cpio");
        Repository.MakeInitrd(File.ReadAllText(Path.Combine(Repository.Root, "lab/scripts/four-devices.sh")), initrd);

        var run = _host.Run(
            Guests.Linux(Repository.Kernel, initrd, $"-c 1 -m 512M {AllDevices}", "hw.e1000e=10.0.17 hw.rtl8139=10.0.18"), Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        Assert.Equal(DiskDigest, run.Result("nvme.sha256"));
        Assert.Equal("3/3", run.Result("e1000e.ping"));
        Assert.Equal("3/3", run.Result("rtl8139.ping"));
        Assert.Equal("3628800", run.Result("edu.factorial"));
        Assert.Equal("3", run.Result("edu.interrupts"));
        Assert.Equal("msi", run.Result("edu.msi"));
        var interrupts = run.Section("interrupts");
        AssertInterrupts(interrupts, "PCI-MSI", "nvme0q1");
        AssertInterrupts(interrupts, "PCI-MSI", "edu");
        AssertInterrupts(interrupts, "IO-APIC", "eth0");
        AssertInterrupts(interrupts, "PCI-MSI", "eth1-rx-0");
        Assert.DoesNotContain(run.Section("kernel warnings"), static line =>
            line.Contains("ACPI", StringComparison.OrdinalIgnoreCase) || line.Contains("PCI", StringComparison.OrdinalIgnoreCase));

        Guests.AssertNothingLeft(_host);
        AssertHostUsesThem();
    }

    [Fact]
    public void A_guest_with_two_cpus_that_came_in_by_pvh_reboots_with_status_0()
    {
        var initrd = _host.PathOf("reboot.cpio");
        Repository.MakeInitrd(
            """
            echo "RESULT cpus=$(grep -c ^processor /proc/cpuinfo)"
            echo "RESULT nvme.sha256=$(sha256sum < /dev/nvme0n1 | cut -d ' ' -f 1)"
            reboot -f
            """,
            initrd);

        var run = _host.Run(Guests.Linux(Repository.Vmlinux, initrd, "-c 2 -m 512M -s 4:0,passthru,0/6/0"), Guests.Bound);

        Assert.True(run.Status == 0, run.Output);
        Assert.Equal("2", run.Result("cpus"));
        Assert.Equal(DiskDigest, run.Result("nvme.sha256"));
    }

    [Fact]
    public void Ten_kills_in_the_middle_of_a_read_loop_leave_nothing_behind()
    {
        var initrd = _host.PathOf("loop.cpio");
        Repository.MakeInitrd(
            """
            while :; do
                dd if=/dev/nvme0n1 of=/dev/null bs=64k iflag=direct 2> /dev/null && echo "LOOP done"
            done
            """,
            initrd);
        var command = Guests.Linux(Repository.Kernel, initrd, "-c 1 -m 256M -s 4:0,passthru,0/6/0");
        for (var i = 0; i < 10; i++)
        {
            // The guest reports each complete read of the disk; the next read is in progress when it is killed.
            var killed = _host.Run(
                $$"""
                rm -f pipe && mkfifo pipe
                {{command}} > pipe 2>&1 &
                while read -r line; do
                    case $line in *LOOP*) kill -9 $!; break ;; esac
                done < pipe
                wait $!
                """,
                Guests.Bound);
            Assert.True(killed.Status == 137, $"kill {i}: status {killed.Status}\n{killed.Output}");
        }

        Guests.AssertNothingLeft(_host);
        var after = ReadRegister(1);
        Assert.True(after.Status == 1, after.Output);
    }

    [Fact]
    public void A_million_reads_of_a_direct_register_cost_no_exit()
    {
        const int Reads = 1_000_000;
        var few = Counters(ReadRegister(1));

        var many = Counters(ReadRegister(Reads));

        // The two runs differ by a million reads, none of which may exit.
        Assert.InRange(many.GetProperty("mmio_exits").GetUInt64(), 0ul, few.GetProperty("mmio_exits").GetUInt64() + 10);
        Assert.InRange(many.GetProperty("io_exits").GetUInt64(), 0ul, few.GetProperty("io_exits").GetUInt64() + 10);
    }

    // HATCHWAY_LAB_INTERRUPTS=1000000 tests a million of each: about 5 minutes of messages and 15 of INTx.
    [Fact]
    public void No_message_of_four_hundred_thousand_is_lost()
    {
        var run = RunTiny(count => TinyGuest.InterruptedByMsi(7, count), 400_000);

        Assert.True(run.Status == 1, run.Output);
    }

    [Fact]
    public void No_level_triggered_interrupt_of_fifty_thousand_is_lost_or_stuck()
    {
        // Slot 7, pin A: input 16 + 7 of the I/O APIC.
        var run = RunTiny(count => TinyGuest.InterruptedByIntx(7, 23, count), 50_000);

        Assert.True(run.Status == 1, run.Output);
    }

    // Reads edu's identification register, which lies in a direct page (QEMU docs/specs/edu.rst).
    private CommandResult ReadRegister(uint reads)
    {
        const uint Identification = 0x0100_00ED;
        return RunTiny(TinyGuest.ReadingBar0(4, reads, Identification), "-s 4:0,passthru,0/9/0");
    }

    private CommandResult RunTiny(Func<uint, byte[]> interrupted, uint count)
    {
        if (Environment.GetEnvironmentVariable("HATCHWAY_LAB_INTERRUPTS") is { Length: > 0 } asked)
            count = uint.Parse(asked, CultureInfo.InvariantCulture);
        // Ten times what the slower kind takes on an idle machine.
        return RunTiny(interrupted(count), "-s 7:0,passthru,0/9/0", Guests.Bound + TimeSpan.FromMilliseconds(8.0 * count));
    }

    private CommandResult RunTiny(byte[] guest, string devices, TimeSpan? bound = null)
    {
        File.WriteAllBytes(_host.PathOf("tiny.elf"), guest);
        return _host.Run(
            $"{Repository.Program} run --stats {_host.PathOf("stats.json")} -s 0:0,hostbridge {devices} "
            + $"--kernel {_host.PathOf("tiny.elf")} tiny",
            bound ?? Guests.Bound);
    }

    private JsonElement Counters(CommandResult run)
    {
        Assert.True(run.Status == 1, run.Output);
        using var statistics = JsonDocument.Parse(File.ReadAllText(_host.PathOf("stats.json")));
        return statistics.RootElement.GetProperty("vcpus")[0].Clone();
    }

    private static void AssertInterrupts(IReadOnlyList<string> interrupts, string controller, string name)
    {
        var line = Assert.Single(interrupts, line => line.EndsWith($" {name}", StringComparison.Ordinal));
        Assert.Contains(controller, line, StringComparison.Ordinal);
        var count = int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        Assert.True(count > 0, line);
    }

    private void AssertHostUsesThem()
    {
        try
        {
            _host.Bind(Nvme, "nvme");
            Assert.Equal(DiskDigest, _host.Check("udevadm settle 2> /dev/null; sha256sum < /dev/nvme0n1").Split(' ')[0]);
            AssertPing("0000:00:07.0", "e1000e", "10.0.17");
            AssertPing("0000:00:08.0", "8139cp", "10.0.18");
        }
        finally
        {
            foreach (var address in new[] { Nvme, "0000:00:07.0", "0000:00:08.0" })
                _host.Bind(address, "vfio-pci");
        }
    }

    private void AssertPing(string address, string driver, string network)
    {
        _host.Bind(address, driver);
        _host.Check(
            $"""
            busybox={Repository.BusyBox}
            interface=$(ls /sys/bus/pci/devices/{address}/net)
            $busybox ip link set $interface up
            # The link comes up some time after the interface.
            for i in $(seq 200); do
                [ "$(cat /sys/class/net/$interface/carrier)" = 1 ] && break
                $busybox usleep 50000
            done
            $busybox ip address add {network}.15/24 dev $interface
            $busybox ping -c 3 -W 10 -I $interface {network}.2
            """);
    }
}
