using System.Text;
using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.VfioRequests;

namespace Hatchway.Linux.Vfio;

/// <summary>An IOMMU group: devices that can only be isolated together (/dev/vfio/N).</summary>
public sealed class VfioGroup : FileDescriptor
{
    private const uint VFIO_GROUP_FLAGS_VIABLE = 1;

    private VfioGroup(int fd)
        : base(fd)
    {
    }

    /// <summary>Opens a group.</summary>
    /// <param name="number">Its number in /sys/kernel/iommu_groups.</param>
    /// <exception cref="LinuxException">ENOENT: no member is bound to vfio-pci; EBUSY: another process has it open.</exception>
    public static VfioGroup Open(int number) => new(OpenPath($"/dev/vfio/{number}", Libc.O_RDWR));

    /// <summary>True when no member is used by another driver of the host.</summary>
    public unsafe bool IsViable
    {
        get
        {
            using var use = Use();
            var status = new vfio_group_status { argsz = (uint)sizeof(vfio_group_status) };
            // SAFETY: one structure, on the stack.
            LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_GROUP_GET_STATUS, &status), "VFIO_GROUP_GET_STATUS");
            return (status.flags & VFIO_GROUP_FLAGS_VIABLE) != 0;
        }
    }

    /// <summary>Puts the group into a container, which it leaves when the group and its devices are closed.</summary>
    public unsafe void Attach(VfioContainer container)
    {
        ArgumentNullException.ThrowIfNull(container);
        using var use = Use();
        using var containerUse = container.Use();
        var fd = containerUse.Fd;
        // SAFETY: the container's number, on the stack.
        LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_GROUP_SET_CONTAINER, &fd), "VFIO_GROUP_SET_CONTAINER");
    }

    /// <summary>Opens a member. The group must be in a container that has its IOMMU driver set.</summary>
    /// <param name="name">Its address, as 0000:00:06.0.</param>
    public unsafe VfioDevice OpenDevice(string name)
    {
        using var use = Use();
        var bytes = Encoding.UTF8.GetBytes(name + '\0');
        // SAFETY: the name is pinned for the call and ends with a zero.
        fixed (byte* start = bytes)
        {
            var device = Ioctl.ioctl(use.Fd, VFIO_GROUP_GET_DEVICE_FD, start);
            return new VfioDevice(LinuxException.Check(device, $"VFIO_GROUP_GET_DEVICE_FD {name}"));
        }
    }
}
