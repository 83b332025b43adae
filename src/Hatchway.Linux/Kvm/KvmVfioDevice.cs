using Hatchway.Linux.Interop;
using Hatchway.Linux.Vfio;
using static Hatchway.Linux.Interop.KvmRequests;

namespace Hatchway.Linux.Kvm;

/// <summary>
/// Tells KVM which VFIO groups a VM has, so that it takes their devices' cache coherency into account (Linux
/// Documentation/virt/kvm/devices/vfio.rst).
/// </summary>
public sealed class KvmVfioDevice : FileDescriptor
{
    private const uint KVM_DEV_VFIO_GROUP = 1;
    private const ulong KVM_DEV_VFIO_GROUP_ADD = 1;
    private const ulong KVM_DEV_VFIO_GROUP_DEL = 2;

    internal KvmVfioDevice(int fd)
        : base(fd)
    {
    }

    /// <summary>Adds a group, which KVM then holds open as well.</summary>
    public void Add(VfioGroup group) => Set(group, KVM_DEV_VFIO_GROUP_ADD, "KVM_DEV_VFIO_GROUP_ADD");

    /// <summary>Removes a group. To be called before the group is closed.</summary>
    public void Remove(VfioGroup group) => Set(group, KVM_DEV_VFIO_GROUP_DEL, "KVM_DEV_VFIO_GROUP_DEL");

    private unsafe void Set(VfioGroup group, ulong operation, string name)
    {
        ArgumentNullException.ThrowIfNull(group);
        using var member = group.Use();
        using var use = Use();
        var fd = member.Fd;
        var attribute = new kvm_device_attr { group = KVM_DEV_VFIO_GROUP, attr = operation, addr = (ulong)&fd };
        // SAFETY: the attribute points to the group's number, on the stack, which KVM copies.
        LinuxException.Check(Ioctl.ioctl(use.Fd, KVM_SET_DEVICE_ATTR, &attribute), name);
    }
}
