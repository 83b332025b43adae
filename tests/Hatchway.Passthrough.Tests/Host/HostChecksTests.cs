using Hatchway.Passthrough.Host;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>Each check of the host as a whole, with both outcomes. For KVM, nested paging and the memory lock see
/// <see cref="KvmPreconditionsTests"/>.</summary>
public sealed class HostChecksTests : IDisposable
{
    private readonly SysfsTree _tree = new();

    public void Dispose() => _tree.Dispose();

    [Theory]
    [InlineData("flags\t\t: fpu vmx sse", FindingLevel.Ok, "VT-x")]
    [InlineData("flags\t\t: fpu svm sse", FindingLevel.Ok, "AMD-V")]
    [InlineData("flags\t\t: fpu sse", FindingLevel.Problem, "in the firmware")]
    public void Virtualisation_is_a_flag_of_the_processors(string cpuinfo, FindingLevel level, string says)
    {
        _tree.WithProc("cpuinfo", $"processor\t: 0\n{cpuinfo}\n");

        AssertFinding("virtualisation", level, says);
    }

    [Fact]
    public void A_kvm_that_works_without_the_processors_help_is_no_problem()
    {
        _tree.WithProc("cpuinfo", "flags\t\t: fpu sse\n").WithDeviceFile("kvm");

        AssertFinding("virtualisation", FindingLevel.Ok, "without vmx and svm");
    }

    [Fact]
    public void Iommu_hardware_is_what_the_firmware_describes_or_the_kernel_has_found()
    {
        AssertFinding("IOMMU hardware", FindingLevel.Problem, "no ACPI table DMAR or IVRS");

        _tree.Text("firmware/acpi/tables/IVRS", "");
        AssertFinding("IOMMU hardware", FindingLevel.Ok, "IVRS");
    }

    [Fact]
    public void An_iommu_that_is_there_but_not_in_use_is_told_with_the_kernels_parameter()
    {
        AssertFinding("IOMMU", FindingLevel.Problem, "intel_iommu=on");

        _tree.WithProc("cmdline", "quiet amd_iommu=off root=/dev/sda1");
        AssertFinding("IOMMU", FindingLevel.Problem, "booted with amd_iommu=off: boot without it");

        _tree.WithIommu();
        AssertFinding("IOMMU", FindingLevel.Ok, "dmar0 in use");
    }

    [Fact]
    public void Groups_show_that_an_iommu_isolates_something()
    {
        AssertFinding("IOMMU groups", FindingLevel.Problem, "none");

        _tree.WithFunction("0000:3b:00.0", group: 3);
        AssertFinding("IOMMU groups", FindingLevel.Ok, "1 group");
    }

    [Fact]
    public void Interrupt_remapping_is_told_by_the_chips_that_the_kernel_uses()
    {
        _tree.WithProc("interrupts", " 24:  9  PCI-MSI 49152-edge  nvme0q0\n");
        AssertFinding("interrupt remapping", FindingLevel.Problem, "'modprobe vfio_iommu_type1 allow_unsafe_interrupts=1'");

        // modprobe can't set the parameters of a module that is loaded already.
        _tree.WithParameter("vfio_iommu_type1", "allow_unsafe_interrupts", "N");
        AssertFinding("interrupt remapping", FindingLevel.Problem, "'echo 1 > /sys/module/vfio_iommu_type1/parameters/");

        _tree.WithProc("cmdline", "nointremap");
        AssertFinding("interrupt remapping", FindingLevel.Problem, "booted with nointremap");

        _tree.WithParameter("vfio_iommu_type1", "allow_unsafe_interrupts", "Y");
        AssertFinding("interrupt remapping", FindingLevel.Note, "allowed to be");

        _tree.WithProc("interrupts", " 24:  9  IR-PCI-MSI 49152-edge  nvme0q0\n");
        AssertFinding("interrupt remapping", FindingLevel.Ok, "on");
    }

    [Fact]
    public void Vfios_modules_and_its_container_are_asked_for()
    {
        AssertFinding(
            "VFIO", FindingLevel.Problem, "vfio_pci and vfio_iommu_type1 are not loaded: 'modprobe -a vfio_pci vfio_iommu_type1'");

        _tree.Folder("module/vfio_pci");
        AssertFinding("VFIO", FindingLevel.Problem, "vfio_iommu_type1 is not loaded: 'modprobe -a vfio_iommu_type1'");

        _tree.Folder("module/vfio_iommu_type1");
        AssertFinding("VFIO", FindingLevel.Problem, "vfio/vfio is not there");

        _tree.WithDeviceFile("vfio/vfio");
        AssertFinding("VFIO", FindingLevel.Ok, "opens");
    }

    [Fact]
    public void A_container_that_does_not_open_is_told_with_the_error()
    {
        _tree.Folder("module/vfio_pci").Folder("module/vfio_iommu_type1").WithClosedDeviceFile("vfio/vfio");

        AssertFinding("VFIO", FindingLevel.Problem, "ENXIO");
    }

    [Fact]
    public void A_host_is_fit_when_no_check_finds_a_problem()
    {
        Assert.False(Report().IsFit);

        _tree.WithIommu().WithFunction("0000:3b:00.0", group: 3).Text("firmware/acpi/tables/DMAR", "")
            .Folder("module/vfio_pci").Folder("module/vfio_iommu_type1").WithDeviceFile("vfio/vfio").WithDeviceFile("kvm")
            .WithProc("cpuinfo", "flags : vmx").WithProc("interrupts", " 24:  9  IR-PCI-MSI 49152-edge  nvme0q0\n");
        Assert.True(Report().IsFit, string.Join('\n', Report().Problems));
    }

    private CheckReport Report() => CheckReport.OfHost(new HostSubject(_tree.View, 0, 0, LocksFreely: false));

    private void AssertFinding(string check, FindingLevel level, string says)
    {
        var finding = Assert.Single(Report().Results, result => result.Check == check).Finding;
        Assert.Equal(level, finding.Level);
        Assert.Contains(says, finding.Line, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', finding.Line);
    }
}
