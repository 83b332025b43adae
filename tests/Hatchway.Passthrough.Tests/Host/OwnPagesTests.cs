using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>Moving BARs that share a page to pages of their own.</summary>
public sealed class OwnPagesTests : IDisposable
{
    private const string First = "0000:3b:00.0";
    private const string Second = "0000:3b:01.0";
    private const ulong Memory = 0x200;
    private const ulong Unset = 0x2000_0000;
    private readonly SysfsTree _tree = new();
    private readonly FakeKernel _kernel;

    public OwnPagesTests()
    {
        _tree.WithFunction(First, "8139cp", 7).WithFunction(Second, "8139cp", 8)
            .WithResources(First, (1, 0x8000_0000, 0x100, Memory)).WithResources(Second, (1, 0x8000_0100, 0x100, Memory));
        _kernel = new FakeKernel(_tree);
    }

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void A_bar_gets_a_page_of_its_own_and_what_was_aligned_before_stays_so()
    {
        _tree.Text("bus/pci/resource_alignment", "20@0000:01:00.0");
        _kernel.Found = () => FindAgain(0x8000_1000, 0x1000, Memory);

        var moved = Assert.Single(Give(Second));

        Assert.Equal((new BarIndex(1), 0x8000_0100ul, 0x8000_1000ul), (moved.Bar, moved.From.Start, moved.To.Start));
        Assert.Equal(
            [
                $"bus/pci/resource_alignment 20@0000:01:00.0;12@{Second}",
                $"bus/pci/devices/{Second}/remove 1",
                "class/pci_bus/0000:3b/rescan 1",
            ],
            _kernel.Log);
        Assert.Empty(Give(Second));
    }

    [Theory]
    [InlineData(0x8000_0100, Memory)]
    [InlineData(0, Memory | Unset)]
    public void What_the_kernel_does_not_move_is_named_and_found_again_as_it_was(ulong start, ulong flags)
    {
        _kernel.Found = () => FindAgain(start, 0x100, flags);

        var failure = Assert.Throws<PassthroughException>(() => Give(Second));

        Assert.Contains($"{Second}: the kernel did not move BAR1", failure.Message, StringComparison.Ordinal);
        Assert.Equal(
            ["bus/pci/resource_alignment", $"bus/pci/devices/{Second}/remove 1", "class/pci_bus/0000:3b/rescan 1"],
            _kernel.Log[^3..]);
    }

    [Fact]
    public void A_function_that_is_not_found_again_is_told() =>
        Assert.Contains("may bring it back", Assert.Throws<PassthroughException>(() => Give(Second)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_virtual_functions_bar_and_one_in_use_are_not_tried()
    {
        _tree.WithText(Second, "physfn", "");
        Assert.Contains("virtual function", Assert.Throws<PassthroughException>(() => Give(Second)).Message, StringComparison.Ordinal);

        _tree.WithClassDevice("net", "eth0", First).Text("class/net/eth0/flags", "0x1003");
        Assert.Contains("only network", Assert.Throws<PassthroughException>(() => Give(First)).Message, StringComparison.Ordinal);
        Assert.Empty(_kernel.Log);
    }

    private IReadOnlyList<MovedBar> Give(string address) =>
        new OwnPages(() => _tree.View, _kernel).Give(PciAddress.Parse(address), force: false);

    private void FindAgain(ulong start, ulong size, ulong flags) =>
        _tree.WithFunction(Second, "8139cp", 8).WithResources(Second, (1, start, size, flags));
}
