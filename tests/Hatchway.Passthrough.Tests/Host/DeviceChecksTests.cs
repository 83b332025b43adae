using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>Each check of a function, with both outcomes. For those that stop <c>run</c> see <see cref="PreconditionsTests"/>.</summary>
public sealed class DeviceChecksTests : IDisposable
{
    private const string Function = "0000:3b:00.0";
    private const string Neighbour = "0000:3b:00.1";
    private const string Port = "0000:00:1c.0";
    private const int Group = 17;
    private const ulong Memory = 0x200;
    private const ulong Ports = 0x100;
    private readonly SysfsTree _tree = new();

    public DeviceChecksTests() => _tree.WithIommu().WithFunction(Function, "vfio-pci", Group).WithDeviceFile($"vfio/{Group}");

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void A_function_that_vfio_has_and_nobody_else_is_fit()
    {
        Assert.True(Report().IsFit, string.Join('\n', Report().Problems));
        AssertFinding("function", FindingLevel.Ok, "8086:10fb");
        AssertFinding("kind", FindingLevel.Ok, "no bridge");
        AssertFinding("IOMMU group", FindingLevel.Ok, "group 17");
        AssertFinding("driver", FindingLevel.Ok, "vfio-pci");
        AssertFinding("group members", FindingLevel.Ok, "alone");
    }

    [Fact]
    public void Of_a_function_that_is_not_there_nothing_else_is_asked() =>
        Assert.Equal("function", Assert.Single(CheckReport.OfDevice(_tree.View, PciAddress.Parse("0000:05:00.0")).Results).Check);

    [Fact]
    public void Of_a_bridge_nothing_else_is_asked()
    {
        _tree.WithBridge(Port, "pcieport", Group - 1);

        Assert.Equal("kind", Assert.Single(Report(Port).Problems).Check);
        Assert.Equal(2, Report(Port).Results.Count);
    }

    [Fact]
    public void A_function_whose_config_space_reads_as_all_ones_does_not_answer()
    {
        AssertFinding("answer", FindingLevel.Ok, "answers");

        _tree.WithConfig(Function, [.. Enumerable.Repeat((byte)0xFF, 64)]);
        AssertFinding("answer", FindingLevel.Problem, "power cycle");
    }

    [Fact]
    public void Functions_of_one_device_without_acs_are_said_to_be_one()
    {
        AssertFinding("isolation", FindingLevel.Ok, "isolated");

        _tree.WithFunction(Neighbour, "vfio-pci", Group);
        AssertFinding("isolation", FindingLevel.Note, "1 other function of the same device, which has no ACS");
    }

    [Fact]
    public void A_port_without_acs_above_a_group_is_named()
    {
        _tree.WithFunction("0000:3c:00.0", "vfio-pci", Group).WithBridge(Port, "pcieport", Group - 1).Below(Port, Function);
        _tree.WithConfig(Port, Express(type: 4, withAcs: true));
        AssertFinding("isolation", FindingLevel.Note, "config space does not say");

        _tree.WithConfig(Port, Express(type: 4, withAcs: false));
        AssertFinding("isolation", FindingLevel.Note, $"the port {Port} has no ACS");
    }

    [Fact]
    public void A_conventional_bridge_above_a_group_is_named()
    {
        _tree.WithFunction("0000:3b:02.0", "vfio-pci", Group).WithBridge(Port, null, Group).Below(Port, Function)
            .WithConfig(Port, Express(type: 7, withAcs: false));

        AssertFinding("isolation", FindingLevel.Note, $"{Port} is a conventional PCI bridge");
    }

    [Fact]
    public void Memory_that_the_firmware_uses_by_a_device_is_a_problem_unless_it_is_relaxable()
    {
        var regions = $"kernel/iommu_groups/{Group}/reserved_regions";
        AssertFinding("reserved regions", FindingLevel.Ok, "none");

        _tree.Text(regions, "0x0000000000000000 0x0000000000ffffff direct-relaxable\n0x00000000fee00000 0x00000000feefffff msi");
        AssertFinding("reserved regions", FindingLevel.Ok, "0-ffffff direct-relaxable, fee00000-feefffff msi");

        _tree.Text(regions, "0x000000007d800000 0x000000007fffffff direct");
        AssertFinding("reserved regions", FindingLevel.Problem, "7d800000-7fffffff direct (RMRR)");
    }

    [Fact]
    public void A_groups_file_that_is_missing_closed_or_held_is_told()
    {
        AssertFinding("rights", FindingLevel.Ok, "opens");

        _tree.WithFunction("0000:04:00.0", "vfio-pci", 4).WithFunction("0000:05:00.0", "vfio-pci", 5).WithClosedDeviceFile("vfio/5");
        AssertFinding("rights", FindingLevel.Problem, "is not there", "0000:04:00.0");
        AssertFinding("rights", FindingLevel.Problem, "ENXIO", "0000:05:00.0");

        _tree.WithProcess(4711, "qemu-system-x86", $"/dev/vfio/{Group}");
        AssertFinding("in use", FindingLevel.Problem, "held open by qemu-system-x86 (4711)");
    }

    [Fact]
    public void That_integrated_graphics_get_no_OpRegion_is_noted_and_of_another_card_nothing_is_said()
    {
        const string Integrated = "0000:00:02.0";
        _tree.WithFunction(Integrated, "vfio-pci", 2, classCode: 0x03_00_00).WithFunction("0000:03:00.0", "vfio-pci", 3, 0x03_00_00);

        AssertFinding("Intel graphics", FindingLevel.Note, "no OpRegion", Integrated);
        Assert.DoesNotContain(Report("0000:03:00.0").Results, static result => result.Check == "Intel graphics");
        Assert.DoesNotContain(Report().Results, static result => result.Check == "Intel graphics");
    }

    [Fact]
    public void A_device_without_a_reset_is_noted()
    {
        AssertFinding("reset", FindingLevel.Note, "none");

        _tree.WithText(Function, "reset", "");
        AssertFinding("reset", FindingLevel.Ok, "does not name");

        _tree.WithText(Function, "reset_method", "flr bus");
        AssertFinding("reset", FindingLevel.Ok, "flr bus");

        _tree.WithText(Function, "reset_method", "");
        AssertFinding("reset", FindingLevel.Note, "none");
    }

    [Fact]
    public void The_reset_of_a_bus_counts_while_a_function_is_alone_there_and_not_for_a_bridge_beside_it()
    {
        _tree.WithText(Function, "reset_method", "bus");
        AssertFinding("reset", FindingLevel.Ok, "bus");

        // On other buses.
        _tree.WithFunction("0000:3c:00.0", "ixgbe", Group + 1).WithFunction("0001:3b:00.1", "ixgbe", Group + 2);
        AssertFinding("reset", FindingLevel.Ok, "bus");

        _tree.WithBridge("0000:3b:01.0", "pcieport", Group);
        AssertFinding("reset", FindingLevel.Note, "only with its bus, on which is 0000:3b:01.0, a bridge");
    }

    [Fact]
    public void Functions_of_one_bus_and_one_group_are_reset_together_once_all_are_reserved()
    {
        // As the kernel has them: the second function of a bus is not alone there, and has no file.
        _tree.WithText(Function, "reset_method", "bus")
            .WithFunction(Neighbour, "snd_hda_intel", Group);
        AssertFinding("reset", FindingLevel.Note, $"which needs {Neighbour} of its group to be reserved, too");
        AssertFinding("reset", FindingLevel.Note, $"'hatchway host reserve {Neighbour}', and give all of them to one guest");
        // This one's sibling is reserved, and what it lacks itself another check says.
        AssertFinding("reset", FindingLevel.Ok, $"with its bus, together with {Function} of its group", Neighbour);

        _tree.Unbind(Neighbour);
        _tree.Bind(Neighbour, "vfio-pci");
        AssertFinding("reset", FindingLevel.Ok, $"together with {Neighbour} of its group: all are to stay reserved, and go to one guest");

        _tree.WithText(Function, "reset_method", "pm bus");
        AssertFinding("reset", FindingLevel.Ok, "pm");
    }

    [Fact]
    public void Functions_of_one_bus_in_groups_of_their_own_are_reset_by_a_guest_that_has_all()
    {
        _tree.WithText(Function, "reset_method", "bus").WithFunction(Neighbour, "ixgbe", Group + 1);
        AssertFinding("reset", FindingLevel.Note, $"by a guest that has {Neighbour}, too");
        AssertFinding("reset", FindingLevel.Note, $"'hatchway host reserve {Neighbour}', and give all of them to one guest");

        _tree.Unbind(Neighbour);
        _tree.Bind(Neighbour, "vfio-pci");
        AssertFinding("reset", FindingLevel.Note, "in the state it was left in: give all of them to one guest");
    }

    [Theory]
    [InlineData("D0", FindingLevel.Ok)]
    [InlineData("unknown", FindingLevel.Ok)]
    [InlineData("D3hot", FindingLevel.Ok)]
    [InlineData("error", FindingLevel.Problem)]
    public void The_power_state_is_looked_at(string state, FindingLevel level)
    {
        _tree.WithText(Function, "power_state", state);

        AssertFinding("power", level, "");
    }

    [Fact]
    public void A_sleeping_device_of_another_driver_is_noted()
    {
        _tree.WithFunction(Neighbour, "ixgbe", Group + 1).WithText(Neighbour, "power_state", "D3cold");

        AssertFinding("power", FindingLevel.Note, "echo on >", Neighbour);
    }

    [Fact]
    public void A_bar_without_an_address_or_too_large_for_the_processor_is_a_problem()
    {
        const ulong Unset = 0x2000_0000;
        _tree.WithProc("cpuinfo", "address sizes\t: 36 bits physical, 48 bits virtual\n");
        _tree.WithResources(Function, (0, 0xF000_0000, 0x4000, Memory));
        AssertFinding("BAR addresses", FindingLevel.Ok, "within 36 bits");

        _tree.WithResources(Function, (1, 0, 1ul << 36, Memory | 0x10_0000));
        AssertFinding("BAR addresses", FindingLevel.Problem, "BAR1 (64 GiB) does not fit the processor's 36 bits");

        _tree.WithResources(Function, (2, 0, 0x4000, Memory | Unset));
        AssertFinding("BAR addresses", FindingLevel.Problem, "no address for BAR2 (16 KiB): boot with pci=realloc");
    }

    [Fact]
    public void A_bar_below_a_page_is_mapped_while_its_page_is_its_own_and_else_trapped()
    {
        AssertFinding("BARs below a page", FindingLevel.Ok, "none");

        _tree.WithResources(Function, (1, 0xF000_0000, 0x100, Memory), (2, 0xC000, 0x20, Ports));
        AssertFinding("BARs below a page", FindingLevel.Ok, "BAR1 (256 bytes): mapped");

        _tree.WithFunction(Neighbour, group: Group + 1).WithResources(Neighbour, (0, 0xF000_0100, 0x100, Memory));
        AssertFinding("BARs below a page", FindingLevel.Note, $"which it shares with {Neighbour} BAR0");
        AssertFinding("BARs below a page", FindingLevel.Note, "begins inside one", Neighbour);
    }

    [Fact]
    public void A_rom_that_the_firmware_has_copied_is_noted()
    {
        AssertFinding("ROM", FindingLevel.Ok, "none");

        _tree.WithResources(Function, (6, 0xF010_0000, 0x1_0000, Memory));
        AssertFinding("ROM", FindingLevel.Ok, "64 KiB");

        _tree.WithResources(Function, (6, 0xC_0000, 0x2_0000, Memory | 2));
        AssertFinding("ROM", FindingLevel.Note, "rom=FILE");
    }

    [Theory]
    [InlineData("0", FindingLevel.Ok)]
    [InlineData("1", FindingLevel.Note)]
    public void The_display_that_the_machine_booted_with_is_noted(string value, FindingLevel level)
    {
        _tree.WithText(Function, "boot_vga", value);

        AssertFinding("display", level, "booted with");
    }

    [Fact]
    public void What_is_mounted_from_a_device_or_from_what_is_made_of_it_is_a_problem()
    {
        AssertFinding("file systems", FindingLevel.Ok, "no disk");

        _tree.WithClassDevice("block", "nvme0n1", Function).Text("class/block/nvme0n1/dev", "259:0")
            .WithProc("self/mountinfo", "36 35 8:1 / / rw - ext4 /dev/sda1 rw\n");
        AssertFinding("file systems", FindingLevel.Ok, "nothing of nvme0n1 is mounted");

        _tree.WithProc("swaps", "Filename\tType\n/dev/nvme0n1 partition 1 0 -2\n");
        AssertFinding("file systems", FindingLevel.Problem, "nvme0n1 is swapped to");

        _tree.Folder("class/block/nvme0n1/holders/dm-0").Text("class/block/dm-0/dev", "253:0")
            .WithProc("self/mountinfo", "36 35 253:0 / / rw - ext4 /dev/dm-0 rw\n");
        AssertFinding("file systems", FindingLevel.Problem, "dm-0 is mounted at /: the host runs from it");
    }

    [Fact]
    public void A_file_system_of_several_devices_is_noticed_by_the_device_that_it_names_and_by_the_others()
    {
        _tree.WithClassDevice("block", "nvme0n1p2", Function).Text("class/block/nvme0n1p2/dev", "259:2")
            .WithProc("self/mountinfo", "36 35 0:26 /@ / rw,noatime - btrfs /dev/nvme0n1p2 rw\n");
        AssertFinding("file systems", FindingLevel.Problem, "nvme0n1p2 is mounted at /: the host runs from it");

        _tree.WithProc("self/mountinfo", "36 35 0:26 /@ /srv rw - btrfs /dev/sda1 rw\n");
        AssertFinding("file systems", FindingLevel.Ok, "nothing of nvme0n1p2 is mounted");

        _tree.Folder("fs/btrfs/6c1b/devices/sda1").Folder("fs/btrfs/6c1b/devices/nvme0n1p2");
        AssertFinding("file systems", FindingLevel.Problem, "nvme0n1p2 is mounted at /srv");

        _tree.WithProc("self/mountinfo", "36 35 0:40 / / rw - bcachefs /dev/sda1:/dev/nvme0n1p2 rw\n");
        AssertFinding("file systems", FindingLevel.Problem, "nvme0n1p2 is mounted at /");
    }

    [Fact]
    public void A_pool_of_zfs_is_noticed_by_what_udev_has_read()
    {
        _tree.WithClassDevice("block", "nvme0n1p3", Function).Text("class/block/nvme0n1p3/dev", "259:3")
            .WithProc("self/mountinfo", "36 35 0:30 / / rw - zfs rpool/ROOT/debian rw\n");
        AssertFinding("file systems", FindingLevel.Ok, "nothing of nvme0n1p3 is mounted");

        _tree.WithUdev("259:3", "ID_FS_TYPE=zfs_member", "ID_FS_LABEL=rpool");
        AssertFinding("file systems", FindingLevel.Problem, "nvme0n1p3 is mounted at /");
    }

    [Fact]
    public void A_disk_behind_nvme_multipath_is_noticed_and_so_is_swap_by_another_name()
    {
        const string Subsystem = "devices/virtual/nvme-subsystem/nvme-subsys0";
        _tree.Folder($"{SysfsTree.PathOf(Function)}/nvme/nvme0").Folder($"{Subsystem}/nvme0n1").Folder($"{Subsystem}/nvme0")
            .Folder("class/nvme-subsystem").Folder("class/block")
            .Link("class/nvme-subsystem/nvme-subsys0", $"../../{Subsystem}").Link("class/block/nvme0n1", $"../../{Subsystem}/nvme0n1")
            .Text("class/block/nvme0n1/dev", "259:1").WithProc("self/mountinfo", "36 35 259:1 / /home rw - ext4 /dev/nvme0n1 rw\n");
        AssertFinding("file systems", FindingLevel.Problem, "nvme0n1 is mounted at /home");

        _tree.WithProc("self/mountinfo", "").WithDeviceLink("mapper/swap", "../nvme0n1")
            .WithProc("swaps", "Filename\n/dev/mapper/swap  partition 1\n");
        AssertFinding("file systems", FindingLevel.Problem, "nvme0n1 is swapped to");
    }

    [Fact]
    public void A_network_that_is_up_is_a_problem_and_the_hosts_way_out_is_named()
    {
        AssertFinding("networks", FindingLevel.Ok, "no network");

        _tree.WithClassDevice("net", "eth0", Function).Text("class/net/eth0/flags", "0x1002");
        AssertFinding("networks", FindingLevel.Ok, "eth0 is down");

        _tree.Text("class/net/eth0/flags", "0x1003");
        AssertFinding("networks", FindingLevel.Problem, "eth0 is up: 'ip link set eth0 down'");

        _tree.WithProc("net/route", "Iface\tDestination\tGateway\neth0\t00000000\t0102000A\t0003\n");
        AssertFinding("networks", FindingLevel.Problem, "eth0 is the host's way to the world");
    }

    [Fact]
    public void A_glance_opens_no_device_file_and_sees_who_has_one_all_the_same()
    {
        Assert.DoesNotContain(AtAGlance().Results, static result => result.Check == "rights");

        _tree.WithProcess(4711, "hatchway", $"/dev/vfio/{Group}");
        Assert.Equal("in use", Assert.Single(AtAGlance().Problems).Check);
    }

    private CheckReport AtAGlance() =>
        CheckReport.AtAGlance(_tree.View, InspectedFunction.Of(_tree.View, _tree.View.Find(PciAddress.Parse(Function))!));

    // A header with a PCI Express capability at 40h, and ACS at 100h.
    private static byte[] Express(byte type, bool withAcs)
    {
        var config = new byte[4096];
        config[0x06] = 0x10;
        config[0x0E] = 1;
        config[0x34] = 0x40;
        config[0x40] = 0x10;
        config[0x42] = (byte)((type << 4) | 2);
        config[0x100] = (byte)(withAcs ? 0x0D : 0x01);
        config[0x102] = 1;
        return config;
    }

    private CheckReport Report(string address = Function) => CheckReport.OfDevice(_tree.View, PciAddress.Parse(address));

    private void AssertFinding(string check, FindingLevel level, string says, string address = Function)
    {
        var finding = Assert.Single(Report(address).Results, result => result.Check == check).Finding;
        Assert.Equal((level, finding.Line), (finding.Level, finding.Line));
        Assert.Contains(says, finding.Line, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', finding.Line);
    }
}
