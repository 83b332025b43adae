using System.Globalization;

namespace Hatchway.Lab.Tests;

/// <summary>An emulated host whose drivers use all its devices.</summary>
public sealed class HostWithDrivers : IDisposable
{
    public LabHost Host { get; } = new("--drivers", "-d", "nvme", "-d", "e1000e", "-d", "rtl8139", "-d", "rtl8139");

    public void Dispose() => Host.Dispose();
}

/// <summary>Taking devices from the host's drivers and giving them back, on a real kernel.</summary>
public sealed class ReservationTests(HostWithDrivers host) : IClassFixture<HostWithDrivers>
{
    private const string Nvme = "0000:00:06.0";
    private const string Nic = "0000:00:07.0";
    private const string Realtek = "0000:00:08.0";
    private const string SecondRealtek = "0000:00:09.0";

    // A .NET program takes seconds to start here, and many seconds beside other work.
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);
    private readonly LabHost _host = host.Host;

    [Fact]
    public void A_disk_goes_to_vfio_and_back_whole_and_not_while_the_host_uses_it()
    {
        var before = _host.Check("sha256sum < /dev/nvme0n1");
        Assert.Equal($"{Nvme} is reserved, taken from nvme", Ask($"host reserve {Nvme}", 0));
        Assert.Equal("vfio-pci", Driver(Nvme));
        Assert.Equal($"{Nvme} is reserved already", Ask($"host reserve {Nvme}", 0));
        Assert.Equal("0x00101b36", Ask($"config read {Nvme} 0.l", 0));

        Assert.Equal($"{Nvme} is released, nvme has it", Ask($"host release {Nvme}", 0));
        Assert.Equal($"{Nvme} is not reserved, nvme has it", Ask($"host release {Nvme}", 0));
        Assert.Equal(before, _host.Check("until [ -b /dev/nvme0n1 ]; do :; done; sha256sum < /dev/nvme0n1"));

        _host.Check("mkswap -q /dev/nvme0n1 && swapon /dev/nvme0n1");
        var refused = Ask($"host reserve {Nic} {Nvme}", 4);
        Assert.Contains($"{Nvme} is not taken from the host: nvme0n1 is swapped to", refused, StringComparison.Ordinal);
        Assert.Equal(("nvme", "e1000e"), (Driver(Nvme), Driver(Nic)));
        _host.Check("swapoff /dev/nvme0n1");
    }

    [Fact]
    public void The_way_to_the_world_is_taken_by_force_only()
    {
        _host.Check($"ip link set $(ls /sys/bus/pci/devices/{Nic}/net) up; ip route add default dev $(ls /sys/bus/pci/devices/{Nic}/net)");

        Assert.Contains("is the host's way to the world", Ask($"host reserve {Nic}", 4), StringComparison.Ordinal);
        Assert.Equal($"{Nic} is reserved, taken from e1000e", Ask($"host reserve --force {Nic}", 0));

        Ask($"host release {Nic}", 0);
        Assert.Equal("e1000e", Driver(Nic));
    }

    [Fact]
    public void A_user_gets_the_file_and_needs_no_root()
    {
        _host.Check($"install -m 755 {Repository.Program} {_host.PathOf("hatchway")}; chmod 755 {_host.Shared}");

        Assert.EndsWith("is nobody's", Ask($"host reserve --user nobody {Realtek}", 0), StringComparison.Ordinal);

        const string User = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all";
        Assert.Equal("0x813910ec", _host.Check($"{User} {_host.PathOf("hatchway")} config read {Realtek} 0.l", Bound));
        Assert.Contains(
            "only root may",
            _host.Run($"{User} {_host.PathOf("hatchway")} host release {Realtek}", Bound).Output, StringComparison.Ordinal);
        Ask($"host release {Realtek}", 0);
    }

    [Fact]
    public void A_bar_that_shares_a_page_gets_one_of_its_own_and_is_mapped()
    {
        // The lab's firmware gives each BAR a page; the kernel packs those that it finds without an address.
        _host.Check(
            $"""
            for a in {Realtek} {SecondRealtek}; do
                setpci -s $a COMMAND=0 BASE_ADDRESS_1=0
                echo 1 > /sys/bus/pci/devices/$a/remove
            done
            echo 1 > /sys/bus/pci/rescan
            """);
        Assert.Contains(
            $"hatchway host reserve --own-page {SecondRealtek}", Ask($"host check {SecondRealtek}", 1), StringComparison.Ordinal);

        var moved = Ask($"host reserve --own-page {SecondRealtek}", 0);

        Assert.Matches(
            $"{SecondRealtek} BAR1 is moved from [0-9a-f]{{8}}-[0-9a-f]{{8}} to [0-9a-f]{{5}}000-[0-9a-f]{{5}}fff\n"
            + $"{SecondRealtek} is reserved, taken from 8139",
            moved);
        Assert.Contains("0-fff direct", Ask($"host show {SecondRealtek}", 0), StringComparison.Ordinal);
        Assert.Contains("has no BAR to be moved", Ask($"host reserve --own-page {SecondRealtek}", 0), StringComparison.Ordinal);
        Ask($"host release {SecondRealtek}", 0);
    }

    [Fact]
    public void The_next_boot_takes_what_is_reserved_before_a_driver_can_and_nothing_else_that_is_there_now()
    {
        const string File = "/etc/hatchway/pptdevs.conf";
        Assert.Contains($"{File} has {Realtek}", Ask($"host reserve --persist --user nobody {Realtek}", 0), StringComparison.Ordinal);
        Ask($"host reserve --persist {Nvme}", 0);
        // As if the buses had been renumbered: another device is where the disk was.
        _host.Check($"sed 's/1b36:0010/1b36:0011/' {File} > {_host.PathOf("pptdevs.conf")}; grep '^pptdevs=\"0/8/0 0/6/0\"$' {File}");
        var command = System.IO.File.ReadLines(Path.Combine(Repository.Root, "packaging/hatchway-reserve.service"))
            .Single(static line => line.StartsWith("ExecStart=", StringComparison.Ordinal))["ExecStart=/usr/bin/hatchway".Length..];
        var log = _host.PathOf("boot.log");

        using var second = new LabHost(
            "--drivers", "-d", "nvme", "-d", "e1000e", "-d", "rtl8139", "--writable", _host.Shared.FullName, "--before-drivers",
            $"mkdir -p /etc/hatchway; cp {_host.PathOf("pptdevs.conf")} {File}; {Repository.Program}{command} > {log} 2>&1");

        Assert.Equal("vfio-pci", DriverOf(second, Realtek));
        Assert.Equal(("nvme", "e1000e"), (DriverOf(second, Nvme), DriverOf(second, Nic)));
        var told = System.IO.File.ReadAllText(log);
        Assert.Contains($"{Realtek} is reserved\n", told, StringComparison.Ordinal);
        Assert.Contains($"{Nvme} is left alone: it is 1b36:0010 now, and was 1b36:0011", told, StringComparison.Ordinal);
        Assert.Equal("nobody", second.Check($"stat -c %U /dev/vfio/$(basename $(readlink /sys/bus/pci/devices/{Realtek}/iommu_group))"));

        Assert.Contains(
            "has 0000:00:06.0, 0000:00:08.0 no more", Ask($"host release --persist {Nvme} {Realtek}", 0), StringComparison.Ordinal);
    }

    [Fact]
    public void An_entry_whose_device_is_gone_is_told_of_and_can_be_taken_out()
    {
        const string File = "/etc/hatchway/pptdevs.conf";
        _host.Check("mkdir -p /etc/hatchway; "
            + $"printf 'pptdevs=\"0/30/0\"\nhatchway_pptdevs=\"0000:00:1e.0=8086:1234\"\n' > {File}");
        Assert.Contains(
            "'hatchway host release --persist 0000:00:1e.0' takes it out", Ask("host reserve --from-config", 4), StringComparison.Ordinal);

        Assert.Contains($"{File} has 0000:00:1e.0 no more", Ask("host release --persist 00:1e.0", 0), StringComparison.Ordinal);

        Ask("host reserve --from-config", 0);
        // Now no driver has it.
        Ask("host release --persist 00:1e.0", 4);
    }

    [Fact]
    public void In_an_initramfs_and_for_what_is_plugged_in_a_shell_keeps_other_drivers_away()
    {
        var script = Path.Combine(Repository.Root, "packaging/override");
        var file = _host.PathOf("shell.conf");
        var vendor = _host.Check($"cat /sys/bus/pci/devices/{SecondRealtek}/vendor")[2..];
        System.IO.File.WriteAllText(file, string.Create(
            CultureInfo.InvariantCulture,
            $"pptdevs=\"0/9/0 0/7/0\"\nhatchway_pptdevs=\"{SecondRealtek}={vendor}:8139 {Nic}=8086:ffff\"\n"));

        _host.Check(
            $"echo {SecondRealtek} > /sys/bus/pci/devices/{SecondRealtek}/driver/unbind; "
            + $"{Repository.BusyBox} sh {script} {file} {SecondRealtek}; echo {SecondRealtek} > /sys/bus/pci/drivers_probe");

        Assert.Equal("vfio-pci", Driver(SecondRealtek));
        Assert.Equal(1, _host.Run($"{Repository.BusyBox} sh {script} {file} {Nic}").Status);
        Assert.Equal("(null)", _host.Check($"cat /sys/bus/pci/devices/{Nic}/driver_override"));
        Ask($"host release {SecondRealtek}", 0);
    }

    private string Driver(string address) => DriverOf(_host, address);

    private static string DriverOf(LabHost host, string address) =>
        host.Check($"basename $(readlink /sys/bus/pci/devices/{address}/driver)");

    private string Ask(string command, int status)
    {
        var result = _host.Run($"{Repository.Program} {command}", Bound);
        Assert.True(result.Status == status, $"status {result.Status} of: {command}\n{result.Output}");
        return result.Output.Trim();
    }
}
