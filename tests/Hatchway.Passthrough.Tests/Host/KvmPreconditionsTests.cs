using Hatchway.Passthrough.Host;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>The messages when KVM or the limit on locked memory stands in the way.</summary>
public sealed class KvmPreconditionsTests : IDisposable
{
    private const ulong GuestRam = 1ul << 30;
    private readonly SysfsTree _tree = new();

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void A_missing_kvm_is_told_with_the_modules_to_load_and_the_firmwares_switch()
    {
        var refusal = Refusal();

        Assert.StartsWith($"{_tree.Dev}/kvm is not there: ", refusal, StringComparison.Ordinal);
        Assert.Contains("'modprobe kvm_intel' or 'modprobe kvm_amd'", refusal, StringComparison.Ordinal);
        Assert.Contains("virtualisation on in the firmware", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kvm_that_does_not_open_is_told_with_the_error_and_the_group_to_join()
    {
        _tree.WithClosedDeviceFile("kvm");

        Assert.Equal($"{_tree.Dev}/kvm can't be opened (ENXIO): join its group with 'usermod -aG kvm $USER', or run as root", Refusal());
    }

    [Theory]
    [InlineData("kvm_intel", "ept", "N", "nested paging (EPT) is off")]
    [InlineData("kvm_intel", "ept", "0", "nested paging (EPT) is off")]
    [InlineData("kvm_amd", "npt", "N", "nested paging (NPT) is off")]
    [InlineData("kvm_amd", "npt", "0", "nested paging (NPT) is off")]
    public void Nested_paging_that_is_off_is_told_with_the_command_that_loads_the_module_anew(
        string module, string parameter, string value, string start)
    {
        _tree.WithDeviceFile("kvm").WithParameter(module, parameter, value);

        var refusal = Refusal();

        Assert.StartsWith(start, refusal, StringComparison.Ordinal);
        Assert.EndsWith($"'modprobe -r {module} && modprobe {module} {parameter}=1'", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("kvm_intel", "ept", "Y")]
    [InlineData("kvm_amd", "npt", "1")]
    public void Nested_paging_that_is_on_is_fine(string module, string parameter, string value)
    {
        _tree.WithDeviceFile("kvm").WithParameter(module, parameter, value);

        new Preconditions(_tree.View).CheckKvm();
    }

    [Fact]
    public void A_kvm_without_modules_is_fine() => new Preconditions(_tree.WithDeviceFile("kvm").View).CheckKvm();

    [Fact]
    public void A_limit_on_locked_memory_below_the_guests_ram_is_told_with_both_and_the_command_that_lifts_it()
    {
        var refusal = MemoryLock(8 << 20, unlimited: false).Line;

        Assert.DoesNotContain('\n', refusal);
        Assert.Contains("1048576 KiB, but this process may lock 8192 KiB", refusal, StringComparison.Ordinal);
        Assert.Contains("'ulimit -l 1048576'", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(GuestRam, false)]
    [InlineData(ulong.MaxValue, false)]
    [InlineData(0ul, true)]
    public void A_limit_that_holds_the_guests_ram_or_does_not_count_is_fine(ulong limit, bool unlimited) =>
        Assert.Equal(FindingLevel.Ok, MemoryLock(limit, unlimited).Level);

    [Fact]
    public void A_guest_without_ram_passes_with_the_limits_of_this_very_process() =>
        new Preconditions(_tree.View).CheckMemoryLock(0);

    private Finding MemoryLock(ulong limit, bool unlimited) =>
        HostChecks.MemoryLock.Look(new HostSubject(_tree.View, GuestRam, limit, unlimited))!;

    private string Refusal()
    {
        var refusal = Assert.Throws<PassthroughException>(() => new Preconditions(_tree.View).CheckKvm());
        Assert.DoesNotContain('\n', refusal.Message);
        return refusal.Message;
    }
}
