using static Hatchway.Linux.Interop.Ioctl;

namespace Hatchway.Linux.Interop;

/// <summary>ioctl requests of linux/vfio.h, with the kernel's names.</summary>
internal static class VfioRequests
{
    private const uint VFIO_TYPE = ';';
    private const uint VFIO_BASE = 100;

    public static readonly uint VFIO_GET_API_VERSION = Io(VFIO_TYPE, VFIO_BASE + 0);
    public static readonly uint VFIO_CHECK_EXTENSION = Io(VFIO_TYPE, VFIO_BASE + 1);
    public static readonly uint VFIO_SET_IOMMU = Io(VFIO_TYPE, VFIO_BASE + 2);
    public static readonly uint VFIO_GROUP_GET_STATUS = Io(VFIO_TYPE, VFIO_BASE + 3);
    public static readonly uint VFIO_GROUP_SET_CONTAINER = Io(VFIO_TYPE, VFIO_BASE + 4);
    public static readonly uint VFIO_GROUP_GET_DEVICE_FD = Io(VFIO_TYPE, VFIO_BASE + 6);
    public static readonly uint VFIO_DEVICE_GET_INFO = Io(VFIO_TYPE, VFIO_BASE + 7);
    public static readonly uint VFIO_DEVICE_GET_REGION_INFO = Io(VFIO_TYPE, VFIO_BASE + 8);
    public static readonly uint VFIO_DEVICE_GET_IRQ_INFO = Io(VFIO_TYPE, VFIO_BASE + 9);
    public static readonly uint VFIO_DEVICE_SET_IRQS = Io(VFIO_TYPE, VFIO_BASE + 10);
    public static readonly uint VFIO_DEVICE_RESET = Io(VFIO_TYPE, VFIO_BASE + 11);
    // Requests 12 and on are numbered anew for each kind of file: a PCI device's, then a container's.
    public static readonly uint VFIO_DEVICE_GET_PCI_HOT_RESET_INFO = Io(VFIO_TYPE, VFIO_BASE + 12);
    public static readonly uint VFIO_DEVICE_PCI_HOT_RESET = Io(VFIO_TYPE, VFIO_BASE + 13);
    public static readonly uint VFIO_IOMMU_GET_INFO = Io(VFIO_TYPE, VFIO_BASE + 12);
    public static readonly uint VFIO_IOMMU_MAP_DMA = Io(VFIO_TYPE, VFIO_BASE + 13);
    public static readonly uint VFIO_IOMMU_UNMAP_DMA = Io(VFIO_TYPE, VFIO_BASE + 14);
}
