namespace Hatchway.Lab.Tests;

/// <summary>An emulated host whose devices come and go: a disk, NICs, edu, one device that can be unplugged,
/// and two that share a group.</summary>
public sealed class RestlessHost : IDisposable
{
    public const string Pluggable = "plug";
    private readonly string _socket = Path.Combine(Path.GetTempPath(), $"hatchway-qmp-{Guid.NewGuid():N}");

    public RestlessHost() => Host = new LabHost(
        "--qmp", _socket,
        "-d", "nvme",
        "-d", "e1000e",
        "-d", "rtl8139",
        "-d", "edu,dma_mask=0xffffffff",
        "-d", "pcie-root-port,id=rp0,chassis=1",
        // The only endpoint of QEMU's whose error reporting can be switched on.
        "-d", $"virtio-rng-pci,bus=rp0,aer=on,id={Pluggable}",
        "-d", "pcie-root-port,id=rp1,chassis=2",
        "-d", "pcie-pci-bridge,id=br0,bus=rp1",
        "-d", "e1000,bus=br0,addr=1",
        "-d", "e1000,bus=br0,addr=2",
        "-d", "pcie-root-port,id=rp2,chassis=3",
        "-d", "e1000e,bus=rp2",
        "-d", "ivshmem-plain",
        "--bind", "all");

    public LabHost Host { get; }

    internal Qmp OpenQmp() => new(_socket);

    public void Dispose()
    {
        Host.Dispose();
        File.Delete(_socket);
    }
}

/// <summary>Devices that are taken back, fail, or are wanted twice: guest and host survive.</summary>
public sealed partial class LifeTests(RestlessHost restless) : IClassFixture<RestlessHost>, IDisposable
{
    private const string Nvme = "0000:00:06.0";
    private const string Nic = "0000:00:07.0";
    private const string Edu = "0000:00:09.0";
    private const string Port = "0000:00:0c.0";
    private const string BehindPort = "0000:04:00.0";
    private const string PluggedIn = "0000:01:00.0";
    private const string First = "0000:03:01.0";
    private const string Second = "0000:03:02.0";
    private const uint EduIdentification = 0x0100_00ED;

    // On the emulated host's own file system, where tail(1) is notified of writes.
    private const string GuestOutput = "/run/guest.out";
    private const string GuestProcess = "/run/guest.pid";
    private const string GuestStatus = "/run/guest.status";

    private readonly LabHost _host = restless.Host;

    // Kills the guest of a test that failed, which would keep the next test's devices.
    public void Dispose() => _host.Run("pid=$(pidof hatchway) && kill -9 $pid && timeout 60 tail --pid=$pid -f /dev/null");

    [Fact]
    public void A_device_that_the_host_unbinds_leaves_the_guest_which_goes_on_with_the_others()
    {
        StartReadLoop();
        Await("LOOP disk");
        Await("LOOP ping");

        WithinTenSeconds($"echo {Nvme} > /sys/bus/pci/drivers/vfio-pci/unbind");

        Await($"{Nvme}: the host wants it back");
        AssertNoHandle(Nvme);
        try
        {
            _host.Bind(Nvme, "nvme");
            Assert.Equal(
                _host.Check($"sha256sum < {Repository.Disk}"), _host.Check("udevadm settle 2> /dev/null; sha256sum < /dev/nvme0n1"));
            AwaitMore("LOOP ping");
            StopGuest();
        }
        finally
        {
            _host.Bind(Nvme, "vfio-pci");
        }
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_device_that_the_host_removes_leaves_the_guest_which_goes_on_with_the_others()
    {
        StartReadLoop();
        Await("LOOP disk");
        Await("LOOP ping");
        try
        {
            WithinTenSeconds($"echo 1 > /sys/bus/pci/devices/{Nic}/remove");

            Await($"{Nic}: the host wants it back");
            AwaitMore("LOOP disk");
            StopGuest();
            Guests.AssertNothingLeft(_host);
        }
        finally
        {
            _host.Check("echo 1 > /sys/bus/pci/rescan");
            _host.Bind(Nic, "vfio-pci");
        }
    }

    [Fact]
    public void An_uncorrectable_error_is_reported_and_a_device_that_is_pulled_is_let_go()
    {
        using var qmp = restless.OpenQmp();
        // The host's virtio driver is bound first.
        _host.Bind(PluggedIn, "vfio-pci");
        var kernel = Save("loop.elf", TinyGuest.ReadingBar0(4, 0, EduIdentification));
        StartGuest($"{Repository.Program} run --verbose -s 4:0,passthru,0/9/0 -s 5:0,passthru,1/0/0 --kernel {kernel} tiny");
        Await($"{PluggedIn} has ");

        // Device control: report uncorrectable errors, as a driver in the guest would set it (PCIe 6.0 §7.5.3.4).
        _host.Check($"setpci -s {PluggedIn} CAP_EXP+8.w=0006:0006");
        qmp.Monitor($"pcie_aer_inject_error {RestlessHost.Pluggable} COMP_TIME");
        Await($"{PluggedIn} reports an uncorrectable error");
        qmp.Remove(RestlessHost.Pluggable);
        Await($"{PluggedIn}: the host wants it back");
        AssertNoHandle(Edu, isOpen: true);
        StopGuest();
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_device_of_another_guest_is_refused_and_that_guest_goes_on()
    {
        var kernel = Save("loop.elf", TinyGuest.ReadingBar0(4, 0, EduIdentification));
        var command = $"{Repository.Program} run --verbose -s 4:0,passthru,0/9/0 --kernel {kernel}";
        StartGuest($"{command} first");
        Await($"{Edu} has ");

        var second = _host.Run($"{command} second");

        Assert.True(second.Status == 4, second.Output);
        Assert.Contains($"{Edu}: IOMMU group", Assert.Single(second.Output.Trim().Split('\n')), StringComparison.Ordinal);
        Assert.Contains("is in use by another process", second.Output, StringComparison.Ordinal);
        StopGuest();
    }

    [Fact]
    public void Members_of_a_group_go_into_one_guest_with_or_without_the_others_and_leave_it_one_by_one()
    {
        var off = Save("off.elf", TinyGuest.PoweringOff());
        var loop = Save("loop.elf", TinyGuest.ReadingBar0(4, 0, EduIdentification));
        try
        {
            _host.Check($"echo {Second} > /sys/bus/pci/drivers/vfio-pci/unbind");
            Assert.Equal(1, _host.Run($"{Repository.Program} run -s 5:0,passthru,3/1/0 --kernel {off} tiny").Status);
            _host.Bind(Second, "vfio-pci");

            StartGuest($"{Repository.Program} run --verbose -s 4:0,passthru,0/9/0 -s 5:0,passthru,3/1/0 -s 6:0,passthru,3/2/0 "
                + $"--kernel {loop} tiny");
            Await($"{Second} has ");
            WithinTenSeconds($"echo {First} > /sys/bus/pci/drivers/vfio-pci/unbind");
            AssertNoHandle(Second, isOpen: true);
            WithinTenSeconds($"echo {Second} > /sys/bus/pci/drivers/vfio-pci/unbind");
            AssertNoHandle(Second);
            StopGuest();
        }
        finally
        {
            _host.Bind(First, "vfio-pci");
            _host.Bind(Second, "vfio-pci");
        }
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_DMA_to_memory_that_is_not_the_guests_is_stopped_by_the_IOMMU()
    {
        const uint BeyondRam = 0x0800_0000;
        var kernel = Save("dma.elf", TinyGuest.WritingByDma(4, BeyondRam));
        _host.Check("dmesg --clear");

        var run = _host.Run($"{Repository.Program} run -m 64M -s 4:0,passthru,0/9/0 --kernel {kernel} tiny", Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        var fault = Assert.Single(
            _host.Check("dmesg").Split('\n'), static line => line.Contains("fault addr", StringComparison.Ordinal));
        Assert.Contains("DMA Write", fault, StringComparison.Ordinal);
        Assert.Contains("[00:09.0] fault addr 0x8000000", fault, StringComparison.Ordinal);
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_DMA_into_another_devices_BAR_arrives_and_one_out_of_it_too()
    {
        var kernel = Save("peer.elf", TinyGuest.CopyingIntoPeer(4, 5));

        var run = _host.Run(
            $"{Repository.Program} run -m 64M -s 4:0,passthru,0/9/0 -s 5:0,passthru,0/13/0 --kernel {kernel} tiny", Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
    }

    [Fact]
    public void A_device_that_does_not_answer_is_refused()
    {
        // Slot control: power off. A device behind the port then reads as all ones (PCIe 6.0 §7.5.3.10).
        const string Power = $"setpci -s {Port} CAP_EXP+18.w";
        var off = Save("off.elf", TinyGuest.PoweringOff());
        _host.Check($"{Power}=0400:0400");
        try
        {
            var run = _host.Run($"{Repository.Program} run -s 5:0,passthru,4/0/0 --kernel {off} tiny");

            Assert.True(run.Status == 4, run.Output);
            Assert.Contains($"{BehindPort} does not answer", run.Output, StringComparison.Ordinal);
            Guests.AssertNothingLeft(_host);
        }
        finally
        {
            _host.Check($"{Power}=0000:0400");
        }
    }

    private string Save(string name, byte[] file)
    {
        File.WriteAllBytes(_host.PathOf(name), file);
        return _host.PathOf(name);
    }

    // Starts a guest that reads the disk and pings through the NIC for ever.
    private void StartReadLoop()
    {
        var initrd = _host.PathOf("loop.cpio");
        Repository.MakeInitrd(
            """
            for path in /sys/class/net/*; do
                case $(readlink "$path/device/driver") in */e1000e) interface=${path##*/} ;; esac
            done
            ip link set $interface up
            i=0
            while [ "$(cat /sys/class/net/$interface/carrier)" != 1 ] && [ $i -lt 100 ]; do
                i=$((i + 1))
                usleep 100000
            done
            ip address add 10.0.17.15/24 dev $interface
            while dd if=/dev/nvme0n1 of=/dev/null bs=64k iflag=direct 2> /dev/null; do echo "LOOP disk"; done &
            while :; do ping -c 1 -W 5 10.0.17.2 > /dev/null && echo "LOOP ping"; usleep 200000; done
            """,
            initrd);
        StartGuest(Guests.Linux(Repository.Kernel, initrd, "-c 2 -m 256M -s 4:0,passthru,0/6/0 -s 5:0,passthru,0/7/0"));
    }

    private void StartGuest(string command) =>
        _host.Check($"rm -f {GuestStatus}; : > {GuestOutput}; "
            + $"( {command} > {GuestOutput} 2>&1; echo $? > {GuestStatus} ) > /dev/null 2>&1 & echo $! > {GuestProcess}");

    private void Await(string text) => AwaitLine(text, "+1");

    // Waits twice: the first line may already have been under way.
    private void AwaitMore(string text)
    {
        AwaitLine(text, "0");
        AwaitLine(text, "0");
    }

    private void AwaitLine(string text, string from)
    {
        // The end of the process that writes the output ends the wait, too.
        var found = _host.Run(
            $"timeout 240 bash -c \"grep -m 1 -F '{text}' < <(tail -n {from} --pid=$(cat {GuestProcess}) -f {GuestOutput})\"",
            Guests.Bound);
        Assert.True(
            found.Status == 0,
            $"'{text}' did not come:\n{_host.Run($"cat {GuestOutput} {GuestStatus}; dmesg | tail -n 30").Output}");
    }

    private void WithinTenSeconds(string command) => _host.Check($"timeout 10 sh -c '{command}'");

    private void StopGuest()
    {
        _host.Check($"kill -HUP $(pidof hatchway) && timeout 60 tail --pid=$(cat {GuestProcess}) -f /dev/null", Guests.Bound);
        Assert.Equal("1", _host.Check($"cat {GuestStatus}"));
    }

    // Asserts whether the guest's process has the device's group open.
    private void AssertNoHandle(string address, bool isOpen = false)
    {
        var group = $"$(basename $(readlink /sys/bus/pci/devices/{address}/iommu_group))";
        var open = _host.Run($"ls -l /proc/$(pidof hatchway)/fd | grep \"/dev/vfio/{group}$\"").Status == 0;
        Assert.Equal(isOpen, open);
    }
}
