using System.Text.Json;

namespace Hatchway.Lab.Tests;

/// <summary>An emulated host with devices bound to VFIO, to other drivers, and to none, and with devices that share a group.</summary>
public sealed class HostWithDevices : IDisposable
{
    public LabHost Host { get; } = new(
        "-d", "nvme",
        "-d", "e1000e",
        "-d", "edu",
        "-d", "rtl8139",
        "-d", "pcie-root-port,id=rp0,chassis=1",
        "-d", "pcie-pci-bridge,id=br0,bus=rp0",
        "-d", "e1000,bus=br0,addr=1",
        "-d", "e1000,bus=br0,addr=2",
        "--bind", "06,08,02:01.0");

    public void Dispose() => Host.Dispose();
}

/// <summary>The host commands that describe devices and access their registers, on a real kernel.</summary>
public sealed class HostSideTests(HostWithDevices devices) : IClassFixture<HostWithDevices>
{
    private const string Nvme = "0000:00:06.0";
    private const string Nic = "0000:00:07.0";
    private const string Edu = "0000:00:08.0";
    private const string Realtek = "0000:00:09.0";
    private const string Port = "0000:00:0a.0";
    private const string First = "0000:02:01.0";
    private const string Second = "0000:02:02.0";

    // A .NET program takes seconds to start here, and many seconds beside other work.
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);
    private readonly LabHost _host = devices.Host;

    [Fact]
    public void The_list_tells_of_each_function_whether_a_guest_can_have_it()
    {
        _host.Bind(Nic, "e1000e");

        var lines = Ask("host list", 0).Split('\n');

        Assert.EndsWith("ready", Line(lines, Nvme), StringComparison.Ordinal);
        Assert.Contains("Non-Volatile memory controller", Line(lines, Nvme), StringComparison.Ordinal);
        Assert.Contains(" 0:16K ", Line(lines, Nvme), StringComparison.Ordinal);
        Assert.EndsWith("no: driver", Line(lines, Nic), StringComparison.Ordinal);
        Assert.Contains(" e1000e ", Line(lines, Nic), StringComparison.Ordinal);
        Assert.DoesNotContain(lines, static line => line.StartsWith(Port, StringComparison.Ordinal));
    }

    [Fact]
    public void Programs_read_a_filtered_list()
    {
        using var list = JsonDocument.Parse(Ask("host list --all --id 1b36:c --json", 0));

        var port = Assert.Single(list.RootElement.EnumerateArray());
        Assert.Equal(Port, port.GetProperty("address").GetString());
        Assert.True(port.GetProperty("bridge").GetBoolean());
        Assert.False(port.GetProperty("fit").GetBoolean());
    }

    [Fact]
    public void A_function_is_shown_with_its_bars_as_a_guest_would_have_them_and_who_holds_it()
    {
        var group = _host.Check($"basename $(readlink /sys/bus/pci/devices/{Nvme}/iommu_group)");

        // The shell holds the group open while the program checks.
        var held = _host.Run($"exec 9<>/dev/vfio/{group}; {Repository.Program} host check {Nvme} 9>&-; exit $?", Bound);
        var shown = Ask($"host show {Nvme}", 0);

        Assert.Equal(1, held.Status);
        Assert.Matches("problem  *in use  *its group's file is held open by sh", held.Output);

        Assert.Contains("0-1fff direct", shown, StringComparison.Ordinal);
        Assert.Contains("2000-3fff handled: MSI-X table, MSI-X pending bits", shown, StringComparison.Ordinal);
        Assert.Contains("MSI-X: 65 vectors", shown, StringComparison.Ordinal);
        Assert.Contains("reserved       fee00000-feefffff msi", shown, StringComparison.Ordinal);
        Assert.Contains("held open by   nobody", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dump_of_this_very_host_says_the_same_of_a_functions_capabilities()
    {
        static IEnumerable<string> Capabilities(string shown) =>
            shown.Split('\n').Where(static line => line.StartsWith("capability", StringComparison.Ordinal));
        _host.Check($"lspci -xxxx > {_host.PathOf("dump.txt")}");

        var recorded = Ask($"host show -F {_host.PathOf("dump.txt")} {Nvme}", 0);

        Assert.Equal(Capabilities(Ask($"host show {Nvme}", 0)), Capabilities(recorded));
        Assert.Contains("size not known of 64-bit memory", recorded, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Nvme, 0, "can be given to a guest", "ok  *reset  *flr")]
    [InlineData(Edu, 0, "can be given to a guest", "note  *reset  *none")]
    [InlineData(Realtek, 1, "there is 1 problem", "problem  *driver  *.*bound to no driver")]
    [InlineData(Port, 1, "there is 1 problem", "problem  *kind  *.*is a PCI bridge")]
    public void A_check_says_what_is_in_the_way(string address, int status, string verdict, string line)
    {
        var report = Ask($"host check {address}", status);

        Assert.Contains(verdict, report, StringComparison.Ordinal);
        Assert.Matches(line, report);
        Assert.Matches("ok  *interrupt remapping  *on", report);
    }

    [Fact]
    public void A_group_behind_a_conventional_bridge_is_told_with_its_cause_and_fit_once_no_member_is_used()
    {
        _host.Bind(Second, "e1000");

        var used = Ask($"host check {First}", 1);
        Assert.Matches($"problem  *group members  *{First} shares IOMMU group [0-9]+ with {Second} \\(e1000\\)", used);
        Assert.Contains("since 0000:01:00.0 is a conventional PCI bridge", used, StringComparison.Ordinal);

        _host.Bind(Second, "vfio-pci");
        Ask($"host check {First}", 0);
    }

    [Fact]
    public void Config_space_and_memory_are_read_and_written_by_vfio()
    {
        Assert.Equal("0x11e81234", Ask($"config read {Edu} 0.l", 0));
        Assert.Equal("0x010000ed", Ask($"bar read {Edu} 0 0", 0));
        // The device has no reset, so its registers keep what was written.
        Ask($"bar write {Edu} 0 4 12345678", 0);
        Assert.Equal("0xedcba987", Ask($"bar read {Edu} 0 4 --width 4", 0));
        Assert.StartsWith("00000000: 010000ed edcba987", Ask($"bar dump {Edu} 0 0 8", 0), StringComparison.Ordinal);
        // NVMe's capabilities register must be read in one access (NVM Express Base 2.0, 3.1.3.1).
        Assert.Equal("0x004018200f0107ff", Ask($"bar read {Nvme} 0 0 --width 8", 0));
    }

    [Fact]
    public void The_table_of_msix_is_the_devices_by_vfio_too()
    {
        // After a reset each vector is masked (PCIe 6.0, 7.7.2.5). VFIO resets the device at each opening, so a second command can't read
        // what the first one wrote.
        Assert.Equal("0x00000001", Ask($"bar read {Nvme} 0 200c", 0));
        Assert.Equal("0x00", Ask($"bar read {Nvme} 0 2000 --width 1", 0));
        Assert.Equal("0x0000000100000000", Ask($"bar read {Nvme} 0 2008 --width 8", 0));
    }

    [Fact]
    public void Watching_registers_ends_with_its_reader() => Assert.Equal(
        "00000000: 010000ed",
        _host.Check(
            $"bash -c 'set -o pipefail; timeout 200 {Repository.Program} bar dump {Edu} 0 0 4 --watch --interval 0.1 | head -n 1'",
            Bound));

    [Fact]
    public void A_program_of_ones_own_does_the_same_by_the_library() =>
        Assert.Equal(
            "1234:11e8, 1048576 bytes of registers\nidentity 010000ed\nasked 12345678, answered edcba987",
            _host.Check($"DOTNET_TieredPGO=0 dotnet {Repository.Library("samples/Registers")} {Edu}", Bound));

    [Fact]
    public void Ports_and_memory_of_a_function_without_a_driver_are_reached_by_sysfs()
    {
        _host.Check($"echo 1 > /sys/bus/pci/devices/{Realtek}/enable");

        // Both BARs give access to the same registers; the interrupt mask is at 3Ch (RTL8139D data sheet, 6.9).
        Ask($"bar write {Realtek} 0 3c 5 --width 2", 0);

        Assert.Equal("0x0005", Ask($"bar read {Realtek} 0 3c --width 2", 0));
        Assert.Equal("0x0005", Ask($"bar read {Realtek} 1 3c --width 2", 0));
    }

    [Theory]
    [InlineData("bar read 0000:00:02.0 4 0", "BAR4 is in use by the driver 'virtio-pci'")]
    [InlineData($"bar read {Edu} 0 100000", "beyond its 100000h bytes")]
    [InlineData($"bar read {Edu} 0 fffffffffffffffc", "beyond its 100000h bytes")]
    [InlineData($"bar read {Edu} 0 2", "begins at a multiple of 4")]
    [InlineData($"bar read {Edu} 1 0", "it has no BAR1")]
    [InlineData($"bar read {Port} 0 0", "is a PCI bridge")]
    [InlineData($"config read {Port} 0", "is a PCI bridge")]
    [InlineData($"config read {Edu} 3.w", "begins at a multiple of 2")]
    public void What_can_not_be_accessed_is_refused_in_one_line(string command, string says)
    {
        var line = Assert.Single(Ask(command, 4).Split('\n'));

        Assert.StartsWith("hatchway: ", line, StringComparison.Ordinal);
        Assert.Contains(says, line, StringComparison.Ordinal);
    }

    private static string Line(string[] lines, string address) =>
        Assert.Single(lines, line => line.StartsWith(address, StringComparison.Ordinal));

    private string Ask(string command, int status)
    {
        var result = _host.Run($"{Repository.Program} {command}", Bound);
        Assert.True(result.Status == status, $"status {result.Status} of: {command}\n{result.Output}");
        return result.Output.Trim();
    }
}
