using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>The file that lists the functions to reserve at each boot.</summary>
public sealed class PersistentDeviceTests
{
    private static readonly PersistentDevice Nic = new(PciAddress.Parse("0000:06:00.1"), 0x8086, 0x10fb, "alice", OwnPage: true);

    [Fact]
    public void What_was_written_is_read_and_bhyves_variable_is_as_bhyve_has_it()
    {
        PersistentDevice[] devices = [Nic, new(PciAddress.Parse("0001:02:1f.0"), 0x1b36, 0x0010, User: null, OwnPage: false)];

        var text = PersistentDevice.Replace("", devices);

        Assert.Contains("\npptdevs=\"6/0/1 0001:02:1f.0\"\n", text, StringComparison.Ordinal);
        Assert.Contains("0000:06:00.1=8086:10fb,user=alice,own-page 0001:02:1f.0=1b36:0010", text, StringComparison.Ordinal);
        Assert.Equal(devices, PersistentDevice.ParseAll(text));
    }

    [Fact]
    public void A_line_of_bhyves_is_read_and_other_lines_stay()
    {
        const string Written = "# mine\nvmm_load=\"YES\"\npptdevs=\"1/0/0 2/0/0\" # two\n";

        Assert.Equal(
            ["0000:01:00.0", "0000:02:00.0"],
            PersistentDevice.ParseAll(Written).Select(static device => device.Address.ToString()));
        Assert.Equal(
            "# mine\nvmm_load=\"YES\"\npptdevs=\"6/0/1\"\nhatchway_pptdevs=\"0000:06:00.1=8086:10fb,user=alice,own-page\"\n",
            PersistentDevice.Replace(Written, [Nic]));
        Assert.Empty(PersistentDevice.ParseAll(PersistentDevice.Replace(Written, [])));
    }

    [Fact]
    public void What_is_no_address_is_told() =>
        Assert.Contains(
            "'06'",
            Assert.Throws<FormatException>(() => PersistentDevice.ParseAll("pptdevs=\"06\"")).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Only_the_very_device_is_taken()
    {
        using var tree = new SysfsTree();
        tree.WithFunction("0000:06:00.1").WithFunction("0000:07:00.0");

        Assert.Null(Nic.Objection(tree.View, "file"));
        Assert.Contains(
            "is 8086:10fb now, and was 8086:10d3",
            (Nic with { Device = 0x10d3 }).Objection(tree.View, "file"), StringComparison.Ordinal);
        Assert.Contains("does not say which", (Nic with { Vendor = null }).Objection(tree.View, "file"), StringComparison.Ordinal);
        Assert.Contains(
            "is not there",
            (Nic with { Address = PciAddress.Parse("9/0/0") }).Objection(tree.View, "file"), StringComparison.Ordinal);
    }
}
