using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.VfioRequests;

namespace Hatchway.Linux.Vfio;

/// <summary>A range of I/O virtual addresses, both ends inclusive.</summary>
public readonly record struct IovaRange(ulong Start, ulong Last);

/// <summary>An IOMMU address space that groups join (/dev/vfio/vfio; Linux Documentation/driver-api/vfio.rst).</summary>
public sealed class VfioContainer : FileDescriptor
{
    private const int ApiVersion = 0;
    private const nint VFIO_TYPE1v2_IOMMU = 3;

    private VfioContainer(int fd)
        : base(fd)
    {
    }

    /// <summary>Opens an empty container.</summary>
    /// <exception cref="LinuxException">VFIO is not there, or has no type 1 IOMMU driver (vfio_iommu_type1).</exception>
    public static VfioContainer Open()
    {
        var container = new VfioContainer(OpenPath("/dev/vfio/vfio", Libc.O_RDWR));
        try
        {
            var version = LinuxException.Check(Ioctl.ioctl((int)container.handle, VFIO_GET_API_VERSION, 0), "VFIO_GET_API_VERSION");
            if (version != ApiVersion)
                throw new LinuxException($"VFIO's API version is {version}, not {ApiVersion}", Errno.ENOTTY);
            var isType1 = Ioctl.ioctl((int)container.handle, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU);
            if (LinuxException.Check(isType1, "VFIO_CHECK_EXTENSION") == 0)
                throw new LinuxException("VFIO has no type 1 IOMMU driver ('modprobe vfio_iommu_type1')", Errno.ENODEV);
            return container;
        }
        catch
        {
            container.Dispose();
            throw;
        }
    }

    /// <summary>Selects the type 1 IOMMU driver, with version 2 of its mapping rules. After the first group has joined.</summary>
    public void SetIommuType1()
    {
        using var use = Use();
        LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), "VFIO_SET_IOMMU");
    }

    /// <summary>Asks which addresses can be mapped. After <see cref="SetIommuType1"/>.</summary>
    /// <returns>In ascending order; empty when the kernel does not say.</returns>
    public unsafe IReadOnlyList<IovaRange> GetIovaRanges()
    {
        const ushort VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1;
        using var use = Use();
        var bytes = InfoBuffer.Ask<vfio_iommu_type1_info>(use.Fd, VFIO_IOMMU_GET_INFO, default, "VFIO_IOMMU_GET_INFO");
        var info = MemoryMarshal.Read<vfio_iommu_type1_info>(bytes);
        var ranges = new List<IovaRange>();
        var capability = InfoBuffer.Find(bytes, info.flags, VFIO_IOMMU_INFO_CAPS, info.cap_offset, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
        if (!capability.IsEmpty)
        {
            var header = MemoryMarshal.Read<vfio_iommu_type1_info_cap_iova_range>(capability);
            var native = MemoryMarshal.Cast<byte, vfio_iova_range>(capability[sizeof(vfio_iommu_type1_info_cap_iova_range)..]);
            foreach (var range in native[..(int)header.nr_iovas])
                ranges.Add(new IovaRange(range.start, range.end));
        }
        return ranges;
    }

    /// <summary>Gives devices access to memory of this process, which the kernel pins.</summary>
    /// <param name="address">The address in this process, page-aligned.</param>
    /// <param name="iova">The address that devices use.</param>
    /// <param name="length">Bytes, whole pages.</param>
    /// <exception cref="LinuxException">ENOMEM: the limit on locked memory is too low; EEXIST: the range overlaps a mapping; EINVAL: it is
    /// outside the IOMMU's range.</exception>
    public unsafe void MapDma(nint address, ulong iova, ulong length)
    {
        const uint VFIO_DMA_MAP_FLAG_READ = 1;
        const uint VFIO_DMA_MAP_FLAG_WRITE = 2;
        using var use = Use();
        var map = new vfio_iommu_type1_dma_map
        {
            argsz = (uint)sizeof(vfio_iommu_type1_dma_map),
            flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
            vaddr = (ulong)address,
            iova = iova,
            size = length,
        };
        // SAFETY: one structure, on the stack; the kernel checks and pins the memory that it names.
        LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_IOMMU_MAP_DMA, &map), "VFIO_IOMMU_MAP_DMA");
    }

    /// <summary>Removes a mapping. When it returns, no device can reach the memory.</summary>
    public unsafe void UnmapDma(ulong iova, ulong length)
    {
        using var use = Use();
        var unmap = new vfio_iommu_type1_dma_unmap { argsz = (uint)sizeof(vfio_iommu_type1_dma_unmap), iova = iova, size = length };
        // SAFETY: one structure, on the stack.
        LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_IOMMU_UNMAP_DMA, &unmap), "VFIO_IOMMU_UNMAP_DMA");
    }

    private const uint VFIO_IOMMU_INFO_CAPS = 2;
}
