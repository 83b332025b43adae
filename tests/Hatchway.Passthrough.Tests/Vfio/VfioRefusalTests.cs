using System.Globalization;
using Hatchway.Linux;
using Hatchway.Passthrough.Host;
using Hatchway.Passthrough.Tests.Host;
using Hatchway.Passthrough.Vfio;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Tests.Vfio;

/// <summary>What a user is told when the kernel does not give a group or a device.</summary>
public sealed class VfioRefusalTests : IDisposable
{
    private const string Function = "0000:01:00.0";
    private const int Group = 12;
    private readonly SysfsTree _tree = new();

    public VfioRefusalTests() => _tree.WithFunction(Function, "vfio-pci", Group);

    public void Dispose() => _tree.Dispose();

    [Theory]
    [InlineData(Errno.EINVAL, true)]
    [InlineData(Errno.EINVAL, false)]
    [InlineData(Errno.EPERM, true)]
    public void A_group_that_the_kernel_keeps_for_the_firmware_is_explained_by_the_firmwares_memory(Errno errno, bool isFirst)
    {
        _tree.Text($"kernel/iommu_groups/{Group}/reserved_regions", "0x000000007d800000 0x000000007fffffff direct");

        var line = OfGroup(errno, isFirst);

        Assert.StartsWith($"{Function}: the firmware uses memory by it: 7d800000-7fffffff direct (RMRR): ", line, StringComparison.Ordinal);
        Assert.Contains("'Kernel DMA Protection'", line, StringComparison.Ordinal);
    }

    [Fact]
    public void That_IOMMUs_can_not_share_an_address_space_is_said_only_where_another_group_has_joined_before()
    {
        Assert.Contains("share an address space", OfGroup(Errno.EINVAL, isFirst: false), StringComparison.Ordinal);

        var line = OfGroup(Errno.EINVAL, isFirst: true);
        Assert.DoesNotContain("share an address space", line, StringComparison.Ordinal);
        Assert.Contains($"'hatchway host check {Function}'", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_of_the_firmware_that_may_be_given_up_explains_nothing()
    {
        _tree.Text($"kernel/iommu_groups/{Group}/reserved_regions", "0x0000000000000000 0x0000000000ffffff direct-relaxable");

        Assert.Contains("chown", OfGroup(Errno.EPERM, isFirst: true), StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_can_not_be_switched_on_is_explained_by_a_BAR_without_an_address()
    {
        var line = VfioRefusal.OfDevice(Device, Group, Failure(Errno.EINVAL));

        Assert.Contains("one of its BARs has no address on the host", line, StringComparison.Ordinal);
        Assert.Contains($"'hatchway host check {Function}'", line, StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_that_can_not_be_shared_is_named_with_its_other_owners()
    {
        _tree.Text($"devices/pci0000:00/{Function}/irq", "16").WithProc(
            "interrupts",
            """
                        CPU0       CPU1
              1:          2          0  IR-IO-APIC    1-edge      i8042
             16:         29          7  IR-IO-APIC   16-fasteoi   ehci_hcd:usb1, snd_hda_intel:card0
            116:         29          7  PCI-MSI 98304-edge      nvme0q0
            """);

        var line = VfioRefusal.OfIntx(_tree.View, Address, Failure(Errno.EBUSY));

        Assert.Contains("interrupt 16 with ehci_hcd:usb1, snd_hda_intel:card0: unbind that driver", line, StringComparison.Ordinal);
        Assert.Equal(Failure(Errno.ENOMEM).Message, VfioRefusal.OfIntx(_tree.View, Address, Failure(Errno.ENOMEM)));
    }

    [Fact]
    public void A_line_of_which_the_host_tells_no_owner_is_named_all_the_same()
    {
        _tree.Text($"devices/pci0000:00/{Function}/irq", "17");

        var line = VfioRefusal.OfIntx(_tree.View, Address, Failure(Errno.EBUSY));

        Assert.Contains("interrupt 17 with another driver", line, StringComparison.Ordinal);
    }

    private static PciAddress Address => PciAddress.Parse(Function, CultureInfo.InvariantCulture);

    private HostDevice Device => _tree.View.Find(Address)!;

    private string OfGroup(Errno errno, bool isFirst) =>
        VfioRefusal.OfGroup(_tree.View, Device, Group, Failure(errno), isFirst);

    private static LinuxException Failure(Errno errno) => new("VFIO_GROUP_SET_CONTAINER", errno);
}
