namespace Hatchway.Lab.Tests;

/// <summary>An emulated host with a group of two devices behind a bridge, and enough memory for a guest beyond 4 GiB.</summary>
public sealed class MixedHost : IDisposable
{
    public LabHost Host { get; } = new(
        "--memory", "5632",
        "-d", "nvme",
        "-d", "pcie-root-port,id=rp0,chassis=1",
        "-d", "pcie-pci-bridge,id=br0,bus=rp0",
        "-d", "e1000,bus=br0,addr=1",
        "-d", "e1000,bus=br0,addr=2",
        "--bind", "06");

    public void Dispose() => Host.Dispose();
}

/// <summary>A missing precondition is reported in one line with exit status 4, and nothing is left behind.</summary>
public sealed class PreconditionTests(MixedHost mixed) : IClassFixture<MixedHost>
{
    private const string Nvme = "0000:00:06.0";
    private const string First = "0000:02:01.0";
    private const string Second = "0000:02:02.0";
    private readonly LabHost _host = mixed.Host;

    [Fact]
    public void Without_kvm_the_module_to_load_is_named()
    {
        _host.Check("modprobe -r kvm_amd");
        try
        {
            AssertRefused("-s 4:0,passthru,0/6/0", "/dev/kvm", "modprobe kvm_amd");
        }
        finally
        {
            _host.Check("modprobe kvm_amd");
        }
    }

    [Fact]
    public void Without_nested_paging_the_parameter_to_set_is_named()
    {
        _host.Check("modprobe -r kvm_amd && modprobe kvm_amd npt=0");
        try
        {
            AssertRefused("-s 4:0,passthru,0/6/0", "nested paging (NPT)", "npt=1");
        }
        finally
        {
            _host.Check("modprobe -r kvm_amd && modprobe kvm_amd");
        }
    }

    [Fact]
    public void A_device_that_a_driver_of_the_host_has_is_refused_with_the_command_that_frees_it()
    {
        _host.Bind(Nvme, "nvme");
        try
        {
            var message = AssertRefused(
                "-s 4:0,passthru,0/6/0",
                $"{Nvme} is bound to the driver 'nvme', not to vfio-pci", $"'hatchway host reserve {Nvme}'");

            // The command in the message works.
            var command = message[(message.IndexOf("vfio-pci: '", StringComparison.Ordinal) + 11)..].TrimEnd('\'');
            _host.Check($"PATH={Path.GetDirectoryName(Repository.Program)}:$PATH; {command}");
            Assert.Equal("vfio-pci", _host.Check($"basename $(readlink /sys/bus/pci/devices/{Nvme}/driver)"));
        }
        finally
        {
            _host.Bind(Nvme, "vfio-pci");
        }
    }

    [Fact]
    public void A_group_with_a_member_in_the_hosts_hands_is_refused_and_the_member_named()
    {
        _host.Bind(First, "vfio-pci");
        _host.Bind(Second, "e1000");

        AssertRefused("-s 4:0,passthru,2/1/0", $"{First} shares IOMMU group", $"{Second} (e1000)");
    }

    [Fact]
    public void A_user_who_may_lock_enough_memory_needs_no_root_and_one_who_may_not_is_told_the_limit_and_the_need()
    {
        const string User = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all";
        File.WriteAllBytes(_host.PathOf("off.elf"), TinyGuest.PoweringOff());
        _host.Check($"chmod 666 /dev/kvm /dev/vfio/*; chmod 755 {_host.Shared}; chmod 644 {_host.PathOf("off.elf")}");
        _host.Check($"install -m 755 {Repository.Program} {_host.PathOf("hatchway")}");
        var run = $"{User} {_host.PathOf("hatchway")} run -m 256M -s 4:0,passthru,0/6/0 --kernel {_host.PathOf("off.elf")} tiny";

        var few = _host.Run($"ulimit -l 65536; {run}");
        var enough = _host.Run($"ulimit -l 300000; {run}");

        Assert.True(few.Status == 4, few.Output);
        Assert.Contains("262144 KiB", Assert.Single(few.Output.Trim().Split('\n')), StringComparison.Ordinal);
        Assert.Contains("may lock 65536 KiB: 'ulimit -l 262144'", few.Output, StringComparison.Ordinal);
        Assert.True(enough.Status == 1, enough.Output);
    }

    [Fact]
    public void RAM_is_on_huge_pages_when_the_pool_has_enough_of_them_and_else_it_is_told_how_many_are_missing()
    {
        const string Pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
        File.WriteAllBytes(_host.PathOf("off.elf"), TinyGuest.PoweringOff());
        // If both were counted together, one of the two runs would have to fail.
        var run = $"ulimit -l 100000; setpriv --bounding-set=-ipc_lock {Repository.Program} run -S -s 4:0,passthru,0/6/0 "
            + $"--kernel {_host.PathOf("off.elf")}";
        _host.Check($"echo 40 > {Pool}");
        try
        {
            Assert.Equal(1, _host.Run($"{run} -o memory.hugepages=2M -m 64M tiny").Status);
            Assert.Equal(1, _host.Run($"{run} -m 64M tiny").Status);
            var refusal = _host.Run($"{run} -o memory.hugepages=2M -m 96M tiny");
            Assert.True(refusal.Status == 4, refusal.Output);
            Assert.Contains(
                $"96 MiB take 48 huge pages of 2 MiB, and 40 are free: 'echo 48 > {Pool}'", refusal.Output, StringComparison.Ordinal);
        }
        finally
        {
            _host.Check($"echo 0 > {Pool}");
        }
        Guests.AssertNothingLeft(_host);
    }

    [Theory]
    [InlineData("-s 4:0,passthru,0/7/0", "0000:00:07.0 is a PCI bridge", "the device behind it")]
    [InlineData("-s 4:0,passthru,0/29/0", "no such PCI function", "lspci -D")]
    [InlineData("-m 512G -s 4:0,passthru,0/6/0", "more than this host has", "give less")]
    [InlineData("-s 4:0,passthru,0/6/0 --initrd /no/such/initrd", "/no/such/initrd: no such file", "--initrd")]
    [InlineData("-s 4:0,passthru,6", "'6' is no PCI address", "0000:00:06.0")]
    [InlineData("-s 4:0,passthru,0/6/0 -s 4:0,lpc", "slot 4:0 is given twice", "another slot")]
    [InlineData("-s 4:0,warpdrive", "unknown emulation 'warpdrive'", "-s help")]
    [InlineData("-m 0 -s 4:0,passthru,0/6/0", "a guest without memory can't start", "32M")]
    public void Wrong_arguments_are_told_in_one_line(string options, string says, string alsoSays) =>
        AssertRefused(options, says, alsoSays);

    [Fact]
    public void Without_an_iommu_the_way_to_switch_it_on_is_named()
    {
        using var host = new LabHost("--no-iommu", "-d", "nvme");
        var run = host.Run($"{Repository.Program} run -s 4:0,passthru,0/6/0 --kernel {Repository.Kernel} guest");

        Assert.Equal(4, run.Status);
        Assert.Contains("no IOMMU is in use", run.Output, StringComparison.Ordinal);
        Assert.Contains("intel_iommu=on", run.Output, StringComparison.Ordinal);
        Assert.Single(run.Output.Trim().Split('\n'));
    }

    [Fact]
    public void A_guest_with_memory_beyond_4_GiB_reads_the_whole_disk()
    {
        var initrd = _host.PathOf("big.cpio");
        Repository.MakeInitrd(
            """
            echo "RESULT mib=$(($(sed -n 's/MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024))"
            echo "RESULT sha256=$(sha256sum < /dev/nvme0n1 | cut -d ' ' -f 1)"
            grep -q '1[0-9a-f]\{8\}-1[0-9a-f]\{8\} : System RAM' /proc/iomem && echo "RESULT high=yes"
            """,
            initrd);

        var run = _host.Run(Guests.Linux(Repository.Kernel, initrd, "-c 1 -m 3584M -s 4:0,passthru,0/6/0"), Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        Assert.InRange(int.Parse(run.Result("mib")!, System.Globalization.CultureInfo.InvariantCulture), 3300, 3584);
        Assert.Equal("yes", run.Result("high"));
        Assert.Equal(_host.Check($"sha256sum < {Repository.Disk}").Split(' ')[0], run.Result("sha256"));
    }

    private string AssertRefused(string options, string says, string alsoSays)
    {
        const string Drivers = "for d in /sys/bus/pci/devices/*; do readlink $d/driver; done; lsmod | sort";
        var driversBefore = _host.Check(Drivers);

        var run = _host.Run($"{Repository.Program} run {options} --kernel {Repository.Kernel} guest");

        Assert.True(run.Status == 4, $"status {run.Status}\n{run.Output}");
        var line = Assert.Single(run.Output.Trim().Split('\n'));
        Assert.StartsWith("hatchway: ", line, StringComparison.Ordinal);
        Assert.Contains(says, line, StringComparison.Ordinal);
        Assert.Contains(alsoSays, line, StringComparison.Ordinal);
        Assert.Equal(driversBefore, _host.Check(Drivers));
        Guests.AssertNothingOpen(_host);
        return line;
    }
}
