using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Tests.Host;

public sealed class HostDeviceTests : IDisposable
{
    private const string Function = "0000:3b:00.0";
    private readonly SysfsTree _tree = new();

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void A_function_is_what_its_files_and_links_say()
    {
        _tree.WithFunction(Function, "ixgbe", group: 17, classCode: 0x02_00_00, headerType: 0x80);

        var expected = new HostDevice(
            PciAddress.Parse(Function), 0x8086, 0x10FB, 0x02_00_00, "ixgbe", IommuGroup: 17, HeaderLayout: 0, IsBoundToVfio: false);
        Assert.Equal(expected, Find());
    }

    [Fact]
    public void What_the_kernel_does_not_say_is_null()
    {
        _tree.WithFunction(Function);

        Assert.Null(Find().Driver);
        Assert.Null(Find().IommuGroup);
    }

    [Fact]
    public void The_ways_to_reset_it_are_in_the_order_in_which_the_kernel_tries_them_and_null_where_it_does_not_tell()
    {
        _tree.WithFunction(Function);
        Assert.Null(Find().ResetMethods);

        _tree.Text($"devices/pci0000:00/{Function}/reset_method", "flr bus");

        Assert.Equal("flr bus", Find().ResetMethods);
    }

    [Theory]
    [InlineData(0x00, false)]
    [InlineData(0x80, false)]
    [InlineData(0x01, true)]
    [InlineData(0x81, true)]
    [InlineData(0x02, true)]
    public void A_bridge_is_known_by_its_headers_layout_and_not_by_the_multi_function_bit(byte headerType, bool bridge)
    {
        _tree.WithFunction(Function, headerType: headerType);

        Assert.Equal(bridge, Find().IsBridge);
    }

    [Fact]
    public void A_device_that_does_not_answer_is_no_bridge()
    {
        _tree.WithFunction(Function, headerType: 0xFF);

        Assert.False(Find().IsBridge);
    }

    [Fact]
    public void A_config_file_without_bytes_is_taken_for_an_endpoints()
    {
        _tree.WithFunction(Function).Bytes($"devices/pci0000:00/{Function}/config", []);

        Assert.Equal(0, Find().HeaderLayout);
    }

    [Fact]
    public void A_groups_members_come_in_order_of_address_and_what_is_no_pci_function_is_left_out()
    {
        _tree.WithFunction("0000:3b:00.1", group: 3).WithFunction("0000:3a:1f.0", group: 3).WithFunction(Function, group: 3)
            .WithFunction("0000:00:02.0", group: 4)
            .Folder("kernel/iommu_groups/3/devices/fd000000.dma-controller");

        var members = HostDevice.InGroup(_tree.Sysfs, 3).Select(static member => member.Address.ToString());

        Assert.Equal(["0000:3a:1f.0", "0000:3b:00.0", "0000:3b:00.1"], members);
    }

    [Fact]
    public void A_group_that_is_not_there_has_no_members() => Assert.Empty(HostDevice.InGroup(_tree.Sysfs, 99));

    private HostDevice Find() => HostDevice.Find(_tree.Sysfs, PciAddress.Parse(Function))!;
}
