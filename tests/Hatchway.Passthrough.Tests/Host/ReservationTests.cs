using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>Taking functions from the host's drivers, and giving them back.</summary>
public sealed class ReservationTests : IDisposable
{
    private const string Disk = "0000:3b:00.0";
    private const string Nic = "0000:3b:00.1";
    private const int Group = 17;
    private readonly SysfsTree _tree = new();
    private readonly FakeKernel _kernel;

    public ReservationTests()
    {
        _tree.WithIommu().WithFunction(Disk, "nvme", Group).WithFunction(Nic, "ixgbe", Group);
        _kernel = new FakeKernel(_tree) { Natives = { [Disk] = "nvme", [Nic] = "ixgbe" } };
    }

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void A_function_goes_from_its_driver_to_vfio_and_back()
    {
        var taken = Assert.Single(Take(Disk));

        Assert.Equal((false, "nvme"), (taken.WasReserved, taken.FormerDriver));
        Assert.Equal("vfio-pci", Driver(Disk));
        Assert.Equal(
            [
                "modprobe vfio_pci",
                "modprobe vfio_iommu_type1",
                $"bus/pci/devices/{Disk}/driver_override vfio-pci",
                $"bus/pci/devices/{Disk}/driver/unbind {Disk}",
                $"bus/pci/drivers_probe {Disk}",
            ],
            _kernel.Log);

        Assert.Equal("nvme", Reservation().GiveBack(Address(Disk), force: false));
        Assert.Equal("nvme", Driver(Disk));
        Assert.Equal("(null)", _tree.Sysfs.TryReadText($"{SysfsTree.PathOf(Disk)}/driver_override"));
    }

    [Fact]
    public void A_second_time_nothing_is_done()
    {
        Take(Disk);
        _kernel.Log.Clear();

        Assert.True(Assert.Single(Take(Disk)).WasReserved);
        Assert.Empty(_kernel.Log);

        Reservation().GiveBack(Address(Disk), force: false);
        _kernel.Log.Clear();
        Assert.Equal("nvme", Reservation().GiveBack(Address(Disk), force: false));
        Assert.Empty(_kernel.Log);
    }

    [Fact]
    public void What_was_unbound_from_vfio_by_hand_goes_back_to_its_driver()
    {
        Take(Disk);
        _tree.Unbind(Disk);

        Assert.Equal("nvme", Reservation().GiveBack(Address(Disk), force: false));

        Assert.Equal("nvme", Driver(Disk));
        Assert.Equal("(null)", _tree.Sysfs.TryReadText($"{SysfsTree.PathOf(Disk)}/driver_override"));
    }

    [Fact]
    public void An_override_that_came_after_the_hosts_driver_is_taken_away_and_the_driver_stays()
    {
        _tree.WithText(Nic, "driver_override", "vfio-pci");

        Assert.Equal("ixgbe", Reservation().GiveBack(Address(Nic), force: false));

        Assert.Equal("ixgbe", Driver(Nic));
        Assert.Equal("(null)", _tree.Sysfs.TryReadText($"{SysfsTree.PathOf(Nic)}/driver_override"));
        Assert.DoesNotContain(_kernel.Log, static line => line.Contains("unbind", StringComparison.Ordinal));
    }

    [Fact]
    public void A_module_that_cannot_be_loaded_is_told_with_the_loaders_words()
    {
        _kernel.Unloadable = "the module vfio_pci can't be loaded: modprobe: FATAL: Module vfio_pci not found";

        Assert.StartsWith(_kernel.Unloadable, Assert.Throws<PassthroughException>(() => Take(Disk)).Message, StringComparison.Ordinal);
        Assert.Equal("nvme", Driver(Disk));
    }

    [Fact]
    public void What_vfio_does_not_take_goes_back_to_its_driver_and_so_do_those_before_it()
    {
        _kernel.Unwilling = Nic;

        var failure = Assert.Throws<PassthroughException>(() => Take(Disk, Nic));

        Assert.Equal("nvme", Driver(Disk));
        Assert.Null(Driver(Nic));
        Assert.Contains($"{Nic}: vfio-pci did not take it", failure.Message, StringComparison.Ordinal);
        Assert.Contains("it has no driver now, before it had the driver 'ixgbe'", failure.Message, StringComparison.Ordinal);
        Assert.Contains($"{Disk} is given back, too", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', failure.Message);
    }

    [Fact]
    public void A_refused_write_leaves_all_as_it_was()
    {
        _kernel.Refuses = "unbind";

        var failure = Assert.Throws<PassthroughException>(() => Take(Disk));

        Assert.Equal("nvme", Driver(Disk));
        Assert.EndsWith("it is as it was", failure.Message, StringComparison.Ordinal);
        Assert.Equal("(null)", _tree.Sysfs.TryReadText($"{SysfsTree.PathOf(Disk)}/driver_override"));

        _kernel.Refuses = "driver_override";
        Assert.EndsWith("nothing was changed", Assert.Throws<PassthroughException>(() => Take(Disk)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_disk_that_the_host_runs_from_is_taken_by_force_only()
    {
        _tree.WithClassDevice("block", "nvme0n1", Disk).Text("class/block/nvme0n1/dev", "259:0")
            .WithProc("self/mountinfo", "36 35 259:0 / / rw - ext4 /dev/nvme0n1 rw\n");

        AssertRefused(Disk, "nvme0n1 is mounted at /, the host runs from it");

        Assert.Empty(_kernel.Log);
        Assert.Single(Reservation().Take([Address(Disk)], force: true));
    }

    [Fact]
    public void The_hosts_way_to_the_world_is_refused_also_below_a_bridge()
    {
        _tree.WithClassDevice("net", "eth0", Nic).Text("class/net/eth0/flags", "0x1003").Text("class/net/eth0/device", "")
            .WithClassDevice("net", "eth1", Disk).Text("class/net/eth1/flags", "0x1003").Text("class/net/eth1/device", "");
        Assert.Single(Take(Nic));
        Reservation().GiveBack(Address(Nic), force: false);

        _tree.Folder("class/net/eth0/upper_br0").Folder("class/net/br0");
        _tree.WithProc("net/route", "Iface\tDestination\tGateway\nbr0\t00000000\t0102000A\t0003\n");
        AssertRefused(Nic, "eth0 is the host's way to the world");

        const string Zeros = "00000000000000000000000000000000";
        _tree.WithProc("net/route", "")
            .WithProc("net/ipv6_route", $"{Zeros} 00 {Zeros} 00 fe80 00000400 00000001 00000000 00000003     br0\n");
        AssertRefused(Nic, "eth0 is the host's way to the world");
    }

    [Fact]
    public void The_only_network_and_the_console_are_refused()
    {
        _tree.WithClassDevice("net", "eth0", Nic).Text("class/net/eth0/flags", "0x1003").Text("class/net/eth0/device", "");
        AssertRefused(Nic, "eth0 is the host's only network");

        _tree.WithText(Disk, "boot_vga", "1");
        AssertRefused(Disk, "the host's console is on this display");

        _tree.WithText(Disk, "boot_vga", "0").WithClassDevice("tty", "ttyS4", Disk).Text("class/tty/console/active", "tty0 ttyS4");
        AssertRefused(Disk, "the host's console is on ttyS4");
    }

    [Fact]
    public void A_group_that_is_not_whole_is_told_and_its_file_goes_to_a_user()
    {
        Take(Disk);

        Assert.Equal(Address(Nic), Assert.Single(Reservation().InTheWay(Address(Disk))).Address);
        Reservation().GiveTo(Address(Disk), 1000);
        Assert.Equal("chown 1000 17", _kernel.Log[^1]);

        Take(Nic);
        Assert.Empty(Reservation().InTheWay(Address(Disk)));
    }

    [Fact]
    public void What_a_guest_has_is_given_back_by_force_only()
    {
        Take(Disk);
        _tree.WithDeviceFile($"vfio/{Group}").WithProcess(4711, "hatchway", $"/dev/vfio/{Group}");

        var failure = Assert.Throws<PassthroughException>(() => Reservation().GiveBack(Address(Disk), force: false));

        Assert.Contains("in use by hatchway (4711)", failure.Message, StringComparison.Ordinal);
        Assert.Equal("nvme", Reservation().GiveBack(Address(Disk), force: true));
    }

    [Fact]
    public void A_driver_that_takes_a_function_again_by_its_own_list_is_told()
    {
        Take(Disk);
        _kernel.Natives[Disk] = "vfio-pci";

        var failure = Assert.Throws<PassthroughException>(() => Reservation().GiveBack(Address(Disk), force: false));

        Assert.Contains("vfio-pci has taken it again", failure.Message, StringComparison.Ordinal);
    }

    private static PciAddress Address(string text) => PciAddress.Parse(text);

    private Reservation Reservation() => new(() => _tree.View, _kernel);

    private IReadOnlyList<ReservedFunction> Take(params string[] addresses) =>
        Reservation().Take([.. addresses.Select(Address)], force: false);

    private string? Driver(string address) => _tree.View.Find(Address(address))!.Driver;

    private void AssertRefused(string address, string says)
    {
        var failure = Assert.Throws<PassthroughException>(() => Take(address));
        Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        Assert.Contains("--force", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', failure.Message);
    }
}
