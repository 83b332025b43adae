using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.VfioRequests;

namespace Hatchway.Linux.Vfio;

/// <summary>A device that VFIO gives this process (Linux Documentation/driver-api/vfio.rst).</summary>
/// <remarks>Any thread may call. Registers are read and written with a pread or pwrite of their width, which the kernel turns into one
/// access.</remarks>
public sealed partial class VfioDevice : FileDescriptor
{
    private const uint VFIO_DEVICE_FLAGS_RESET = 1;
    private const uint VFIO_REGION_INFO_FLAG_WRITE = 2;
    private const uint VFIO_REGION_INFO_FLAG_MMAP = 4;
    private const uint VFIO_REGION_INFO_FLAG_CAPS = 8;
    private const ushort VFIO_REGION_INFO_CAP_SPARSE_MMAP = 1;
    private const uint VFIO_IRQ_SET_DATA_NONE = 1;
    private const uint VFIO_IRQ_SET_DATA_EVENTFD = 4;
    private const uint VFIO_IRQ_SET_ACTION_UNMASK = 16;
    private const uint VFIO_IRQ_SET_ACTION_TRIGGER = 32;
    private const int NoEventFd = -1;

    internal VfioDevice(int fd)
        : base(fd)
    {
    }

    /// <summary>True when the kernel knows a way to reset it.</summary>
    public unsafe bool CanReset
    {
        get
        {
            using var use = Use();
            var info = new vfio_device_info { argsz = (uint)sizeof(vfio_device_info) };
            // SAFETY: one structure, on the stack.
            LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_DEVICE_GET_INFO, &info), "VFIO_DEVICE_GET_INFO");
            return (info.flags & VFIO_DEVICE_FLAGS_RESET) != 0;
        }
    }

    /// <summary>Resets the device by the best method that the kernel knows.</summary>
    public void Reset()
    {
        using var use = Use();
        LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_DEVICE_RESET, 0), "VFIO_DEVICE_RESET");
    }

    /// <summary>Describes a region.</summary>
    /// <exception cref="LinuxException">EINVAL: the device has no such region.</exception>
    public VfioRegionInfo GetRegionInfo(int index)
    {
        using var use = Use();
        var bytes = InfoBuffer.Ask<vfio_region_info>(
            use.Fd, VFIO_DEVICE_GET_REGION_INFO, new() { index = (uint)index }, "VFIO_DEVICE_GET_REGION_INFO");
        var info = MemoryMarshal.Read<vfio_region_info>(bytes);
        return new VfioRegionInfo(
            info.size,
            info.offset,
            (info.flags & VFIO_REGION_INFO_FLAG_WRITE) != 0,
            (info.flags & VFIO_REGION_INFO_FLAG_MMAP) != 0,
            SparseAreas(bytes, info));
    }

    /// <summary>Asks how many vectors an interrupt index has; 0 when the device has none of this kind.</summary>
    /// <param name="index">One of <see cref="VfioPciIndex"/>.</param>
    public unsafe int GetIrqCount(int index)
    {
        using var use = Use();
        var info = new vfio_irq_info { argsz = (uint)sizeof(vfio_irq_info), index = (uint)index };
        // SAFETY: one structure, on the stack.
        LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_DEVICE_GET_IRQ_INFO, &info), "VFIO_DEVICE_GET_IRQ_INFO");
        return (int)info.count;
    }

    /// <summary>Sets the eventfds that vectors signal; the first call switches the device to this kind of interrupt.</summary>
    /// <param name="index">One of <see cref="VfioPciIndex"/>.</param>
    /// <param name="start">The first vector.</param>
    /// <param name="eventFds">One for each vector; null for a vector that signals none.</param>
    /// <returns>
    /// 0 on success. Else the number of vectors that the host could provide, and nothing was done (linux/vfio.h: "greater than 0 if fewer
    /// were available").
    /// </returns>
    public int SetIrqEventFds(int index, int start, ReadOnlySpan<EventFd?> eventFds) =>
        SetEventFds(index, start, eventFds, VFIO_IRQ_SET_ACTION_TRIGGER);

    /// <summary>Sets the eventfd that unmasks a level-triggered interrupt when it is signalled.</summary>
    public void SetIrqUnmaskEventFd(int index, EventFd eventFd) => SetEventFds(index, 0, [eventFd], VFIO_IRQ_SET_ACTION_UNMASK);

    /// <summary>Switches an interrupt index off.</summary>
    public unsafe void DisableIrqs(int index)
    {
        using var use = Use();
        var set = new vfio_irq_set
        {
            argsz = (uint)sizeof(vfio_irq_set),
            flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
            index = (uint)index,
        };
        // SAFETY: one structure, on the stack; a count of zero says that no data follows.
        LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_DEVICE_SET_IRQS, &set), "VFIO_DEVICE_SET_IRQS");
    }

    /// <summary>Reads a register. Allocates nothing.</summary>
    /// <param name="region">The region.</param>
    /// <param name="offset">Bytes from its start; the access must lie inside.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <param name="value">Little-endian; 0 when it failed.</param>
    /// <returns>False when the device did not answer, or is closed.</returns>
    public unsafe bool TryRead(VfioRegionInfo region, ulong offset, int width, out ulong value)
    {
        value = 0;
        if (!TryUse(out var use))
            return false;
        ulong read = 0;
        // SAFETY: at most eight bytes, on the stack.
        var done = Libc.pread_bare(use.Fd, &read, (nuint)Math.Min(width, sizeof(ulong)), (long)(region.FileOffset + offset));
        use.Dispose();
        value = done == width ? read : 0;
        return done == width;
    }

    /// <summary>Writes a register. Allocates nothing.</summary>
    /// <returns>False when the device did not take it, or is closed.</returns>
    public unsafe bool TryWrite(VfioRegionInfo region, ulong offset, int width, ulong value)
    {
        if (!TryUse(out var use))
            return false;
        // SAFETY: at most eight bytes, on the stack.
        var done = Libc.pwrite_bare(use.Fd, &value, (nuint)Math.Min(width, sizeof(ulong)), (long)(region.FileOffset + offset));
        use.Dispose();
        return done == width;
    }

    /// <summary>Maps part of a region, which must be mappable there.</summary>
    public MemoryMapping Map(VfioRegionInfo region, ulong offset, ulong length, bool writable) =>
        MemoryMapping.Create(this, (long)(region.FileOffset + offset), length, writable);

    private static unsafe SparseArea[] SparseAreas(byte[] bytes, in vfio_region_info info)
    {
        var capability = InfoBuffer.Find(bytes, info.flags, VFIO_REGION_INFO_FLAG_CAPS, info.cap_offset, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
        if (capability.IsEmpty)
            return [];
        var header = MemoryMarshal.Read<vfio_region_info_cap_sparse_mmap>(capability);
        var native = MemoryMarshal.Cast<byte, vfio_region_sparse_mmap_area>(capability[sizeof(vfio_region_info_cap_sparse_mmap)..]);
        var areas = new SparseArea[header.nr_areas];
        for (var i = 0; i < areas.Length; i++)
            areas[i] = new SparseArea(native[i].offset, native[i].size);
        return areas;
    }

    private unsafe int SetEventFds(int index, int start, ReadOnlySpan<EventFd?> eventFds, uint action)
    {
        using var use = Use();
        var bytes = new byte[sizeof(vfio_irq_set) + (eventFds.Length * sizeof(int))];
        for (var i = 0; i < eventFds.Length; i++)
        {
            var fd = eventFds[i] is { } eventFd ? (int)eventFd.DangerousGetHandle() : NoEventFd;
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(sizeof(vfio_irq_set) + (i * sizeof(int))), fd);
        }
        // SAFETY: the buffer holds the header and as many numbers as the header says; the caller keeps the eventfds open.
        fixed (byte* data = bytes)
        {
            Unsafe.Write(data, new vfio_irq_set
            {
                argsz = (uint)bytes.Length,
                flags = VFIO_IRQ_SET_DATA_EVENTFD | action,
                index = (uint)index,
                start = (uint)start,
                count = (uint)eventFds.Length,
            });
            return LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_DEVICE_SET_IRQS, data), "VFIO_DEVICE_SET_IRQS");
        }
    }
}
