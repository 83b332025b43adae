using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>The messages when a host can't give a function away: one line, with the remedy.</summary>
public sealed class PreconditionsTests : IDisposable
{
    private const string Function = "0000:3b:00.0";
    private const string Neighbour = "0000:3b:00.1";
    private const int Group = 17;
    private static readonly PciAddress Address = PciAddress.Parse(Function);
    private readonly SysfsTree _tree = new();

    private Preconditions Preconditions => new(_tree.View);

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void A_function_that_vfio_has_alone_in_its_group_is_fit()
    {
        _tree.WithIommu().WithFunction(Function, "vfio-pci", Group);

        Assert.Equal(Address, Preconditions.CheckDevice(Address).Address);
    }

    [Fact]
    public void A_function_that_is_not_there_is_named_with_the_command_that_lists_them()
    {
        _tree.WithIommu();

        Assert.Equal("0000:3b:00.0: this host has no such PCI function; 'lspci -D' lists them", Refusal());
    }

    [Fact]
    public void A_bridge_is_refused()
    {
        _tree.WithIommu().WithBridge(Function, "pcieport", Group);

        Assert.Equal("0000:3b:00.0 is a PCI bridge, which can't be given to a guest: name the device behind it", Refusal());
    }

    [Fact]
    public void Without_any_iommu_the_firmware_and_the_kernels_parameter_are_named()
    {
        _tree.WithFunction(Function, "vfio-pci");

        var refusal = Refusal();

        Assert.Contains("no IOMMU is in use", refusal, StringComparison.Ordinal);
        Assert.Contains("VT-d, AMD-Vi", refusal, StringComparison.Ordinal);
        Assert.Contains("intel_iommu=on", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void An_iommu_that_leaves_the_function_out_is_not_called_off()
    {
        _tree.WithIommu().WithFunction(Function, "vfio-pci");

        Assert.Equal("0000:3b:00.0 has no IOMMU group: the IOMMU that this host has does not cover it", Refusal());
    }

    [Fact]
    public void A_group_that_vfio_made_without_an_iommu_is_none()
    {
        _tree.WithFunction(Function, "vfio-pci", Group).Text($"kernel/iommu_groups/{Group}/name", "vfio-noiommu");

        Assert.Contains("no IOMMU is in use", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_function_without_a_driver_is_to_be_bound_by_one_command()
    {
        _tree.WithIommu().WithFunction(Function, driver: null, Group);

        Assert.Equal(
            "0000:3b:00.0 is bound to no driver, not to vfio-pci: "
            + "'hatchway host reserve 0000:3b:00.0'",
            Refusal());
    }

    [Fact]
    public void A_function_with_another_driver_is_to_be_taken_from_it()
    {
        _tree.WithIommu().WithFunction(Function, "ixgbe", Group);

        Assert.Equal(
            "0000:3b:00.0 is bound to the driver 'ixgbe', not to vfio-pci: "
            + "'hatchway host reserve 0000:3b:00.0'",
            Refusal());
    }

    [Fact]
    public void Members_of_the_group_that_the_host_uses_are_listed_with_their_drivers()
    {
        _tree.WithIommu().WithFunction(Function, "vfio-pci", Group)
            .WithFunction("0000:3b:00.2", "xhci_hcd", Group)
            .WithFunction(Neighbour, "snd_hda_intel", Group);

        Assert.Equal(
            "0000:3b:00.0 shares IOMMU group 17 with 0000:3b:00.1 (snd_hda_intel), 0000:3b:00.2 (xhci_hcd), which the host uses: "
            + "'hatchway host reserve 0000:3b:00.1 0000:3b:00.2', since all of a group go to one guest",
            Refusal());
    }

    [Fact]
    public void Members_of_other_groups_do_not_matter()
    {
        _tree.WithIommu().WithFunction(Function, "vfio-pci", Group).WithFunction(Neighbour, "snd_hda_intel", Group + 1);

        Preconditions.CheckDevice(Address);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("pci-stub")]
    [InlineData("vfio-pci")]
    public void Members_that_nobody_uses_do_not_matter(string? driver)
    {
        _tree.WithIommu().WithFunction(Function, "vfio-pci", Group).WithFunction(Neighbour, driver, Group);

        Preconditions.CheckDevice(Address);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("pcieport")]
    public void Bridges_in_the_group_stay_with_the_host(string? driver)
    {
        _tree.WithIommu().WithFunction(Function, "vfio-pci", Group).WithBridge("0000:00:1c.0", driver, Group);

        Preconditions.CheckDevice(Address);
    }

    [Fact]
    public void A_bridge_whose_driver_keeps_the_group_is_in_the_way_and_is_not_to_be_bound_to_vfio()
    {
        _tree.WithIommu().WithFunction(Function, "vfio-pci", Group).WithBridge("0000:00:1c.0", "shpchp", Group);

        var refusal = Refusal();

        Assert.Contains("with 0000:00:1c.0 (shpchp), ", refusal, StringComparison.Ordinal);
        Assert.EndsWith("a bridge is to have no driver, or pcieport", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void A_driver_for_one_kind_of_device_that_hands_it_to_vfio_is_as_good_as_vfio_pci()
    {
        _tree.WithIommu()
            .WithFunction(Function, "mlx5_vfio_pci", Group).Folder($"devices/pci0000:00/{Function}/vfio-dev/vfio0")
            .WithFunction(Neighbour, "mlx5_vfio_pci", Group).Folder($"devices/pci0000:00/{Neighbour}/vfio-dev/vfio1");

        Preconditions.CheckDevice(Address);
    }

    [Fact]
    public void A_member_of_the_group_that_is_no_pci_device_is_named_with_its_bus_and_the_command_that_frees_it()
    {
        _tree.WithIommu().WithFunction(Function, "vfio-pci", Group).WithForeign("AMDI0010:00", "platform", "i2c_designware", Group);

        Assert.Equal(
            "0000:3b:00.0 shares IOMMU group 17 with AMDI0010:00 (platform, i2c_designware), no PCI device, which the host uses: "
            + "if the host can do without it, 'echo AMDI0010:00 > /sys/bus/platform/drivers/i2c_designware/unbind'",
            Refusal());
    }

    [Theory]
    [InlineData("platform", null)]
    [InlineData("platform", "vfio-platform")]
    [InlineData("fsl-mc", "vfio-fsl-mc")]
    public void A_member_on_another_bus_that_the_host_does_not_use_does_not_matter(string bus, string? driver)
    {
        _tree.WithIommu().WithFunction(Function, "vfio-pci", Group).WithForeign("fd000000.dma-controller", bus, driver, Group);

        Preconditions.CheckDevice(Address);
    }

    private string Refusal()
    {
        var refusal = Assert.Throws<PassthroughException>(() => Preconditions.CheckDevice(Address));
        Assert.DoesNotContain('\n', refusal.Message);
        return refusal.Message;
    }
}
