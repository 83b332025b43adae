using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>The properties that inspecting a host function finds, and how its BARs would be given to a guest.</summary>
public sealed class InspectedFunctionTests : IDisposable
{
    private const string Function = "0000:3b:00.0";
    private const ulong Memory = 0x200;
    private readonly SysfsTree _tree = new();

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void The_pages_of_the_msi_x_table_are_handled_and_the_rest_is_direct()
    {
        var config = new byte[256];
        // MSI-X at 40h: four vectors, table in BAR0 at 2000h, pending bits there at 3000h.
        (config[0x06], config[0x34], config[0x40], config[0x42]) = (0x10, 0x40, 0x11, 3);
        (config[0x45], config[0x49]) = (0x20, 0x30);
        _tree.WithFunction(Function).WithConfig(Function, config).WithResources(Function, (0, 0xF000_0000, 0x8000, Memory));

        var parts = Assert.Single(Look().Bars).Parts;

        Assert.Equal(
            [
                new BarSegment(0, 0x2000, SegmentKind.Direct),
                new BarSegment(0x2000, 0x2000, SegmentKind.Handled),
                new BarSegment(0x4000, 0x4000, SegmentKind.Direct),
            ],
            parts.Select(static part => part.Segment));
        Assert.Equal("MSI-X table, MSI-X pending bits in these pages", parts[1].Reason);
    }

    [Fact]
    public void Ports_and_roms_are_trapped_and_their_kinds_told()
    {
        _tree.WithFunction(Function).WithResources(
            Function, (1, 0xC000, 0x20, 0x100), (2, 0x3800_0000_0000, 0x10_0000, 0x14_2204), (6, 0xF010_0000, 0x1_0000, 0x4_6200));

        var bars = Look().Bars;

        Assert.Equal([BarKind.Io, BarKind.Memory64, BarKind.Rom], bars.Select(static bar => bar.Kind));
        Assert.Equal([SegmentKind.Trapped, SegmentKind.Direct, SegmentKind.Trapped], bars.Select(static bar => bar.Parts[0].Segment.Kind));
        Assert.True(bars[1].Prefetchable);
        Assert.Equal("I/O ports", bars[0].Parts[0].Reason);
    }

    [Fact]
    public void A_broken_resource_file_gives_the_bars_before_the_break()
    {
        _tree.WithFunction(Function).WithText(Function, "resource", "0x1000 0x1fff 0x200\nnonsense");

        Assert.Single(Look().Bars);
    }

    [Fact]
    public void Who_holds_a_group_open_is_found_by_the_files_that_processes_have()
    {
        _tree.WithFunction(Function, "vfio-pci", group: 17).WithDeviceFile("vfio/17")
            .WithProcess(1, "init", "/dev/null").WithProcess(4711, "hatchway", "/dev/vfio/17").WithProcess(4712, "other", "/dev/vfio/170");

        Assert.Equal([new HoldingProcess(4711, "hatchway")], _tree.View.Holders(17));
        Assert.Empty(_tree.View.Holders(3));
    }

    [Fact]
    public void Who_has_a_device_by_iommufd_holds_its_group()
    {
        _tree.WithFunction(Function, "vfio-pci", group: 17).WithDeviceFile("vfio/17").WithProcess(4711, "other", "/dev/vfio/devices/vfio3")
            .Folder("class/vfio-dev/vfio3").Link("class/vfio-dev/vfio3/device", $"../../../{SysfsTree.PathOf(Function)}");

        Assert.Equal([new HoldingProcess(4711, "other")], _tree.View.Holders(17));
    }

    private InspectedFunction Look()
    {
        var view = _tree.View;
        return InspectedFunction.Of(view, view.Find(PciAddress.Parse(Function))!);
    }
}
