using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>A file's bytes, or anonymous memory, in this process's address space (mmap(2)). Disposing unmaps it.</summary>
/// <remarks>A user of <see cref="Address"/> or of a span must keep the mapping alive meanwhile.</remarks>
public sealed class MemoryMapping : SafeHandle
{
    // What one entry of x86's page tables maps above its smallest pages (Intel SDM volume 3, "4-Level Paging").
    private const nuint LargePage = 2 << 20;
    private const nuint LargestPage = 1 << 30;

    private MemoryMapping(nint address, ulong length)
        : base(Libc.MAP_FAILED, ownsHandle: true)
    {
        SetHandle(address);
        Length = length;
    }

    /// <summary>Where it begins.</summary>
    public nint Address => handle;

    /// <summary>Bytes.</summary>
    public ulong Length { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == Libc.MAP_FAILED;

    /// <summary>Makes zeroed memory private to this process. Pages are allocated when they are first touched.</summary>
    /// <remarks>
    /// The kernel is asked for transparent huge pages, so the block begins at a multiple of their size, and one of a GiB or more at a
    /// multiple of that: KVM and an IOMMU map a huge page at once only where both addresses are aligned alike. Shared memory (a memfd) gets
    /// such pages only where the host's shmem_enabled allows it, and its default is never (Linux
    /// Documentation/admin-guide/mm/transhuge.rst).
    /// </remarks>
    /// <param name="length">Bytes, a multiple of the page size.</param>
    /// <exception cref="LinuxException">Address space is short, or a limit is reached.</exception>
    public static MemoryMapping CreatePrivate(ulong length)
    {
        var size = checked((nuint)length);
        var address = MapAligned(
            size, 0, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, -1);
        // Only advice: a kernel without transparent huge pages refuses it, and ordinary pages will do.
        _ = Libc.madvise(address, size, Libc.MADV_HUGEPAGE);
        return new MemoryMapping(address, length);
    }

    /// <summary>Maps part of a file.</summary>
    /// <remarks>
    /// A part that has room for large pages is aligned as it is in the file. A device's memory is aligned in its file as in physical
    /// addresses, and Linux maps it by large pages, for KVM, too, where both addresses are alike (since 6.12; drivers/vfio/pci/
    /// vfio_pci_core.c, vfio_pci_mmap_huge_fault).
    /// </remarks>
    /// <exception cref="LinuxException">The file does not allow it, or memory is short.</exception>
    internal static MemoryMapping Create(FileDescriptor file, long offset, ulong length, bool writable)
    {
        using var use = file.Use();
        var protection = writable ? Libc.PROT_READ | Libc.PROT_WRITE : Libc.PROT_READ;
        var size = checked((nuint)length);
        if (size >= LargePage)
            return new MemoryMapping(MapAligned(size, offset, protection, Libc.MAP_SHARED, use.Fd), length);
        var address = Libc.mmap(0, size, protection, Libc.MAP_SHARED, use.Fd, offset);
        if (address == Libc.MAP_FAILED)
            LinuxException.Throw($"mmap of {length} bytes");
        return new MemoryMapping(address, length);
    }

    /// <summary>A part of it as bytes. For memory, not for registers: the runtime may access a span at any width.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part is not wholly inside.</exception>
    public unsafe Span<byte> Slice(ulong offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)length, Length - offset, nameof(length));
        ObjectDisposedException.ThrowIf(IsClosed, this);
        // SAFETY: the range was checked to be inside the mapping, which is open.
        return new Span<byte>((byte*)handle + offset, length);
    }

    /// <summary>Locks all of it in memory, never to be swapped out (mlock(2)). Touches every page.</summary>
    /// <exception cref="LinuxException">The limit on locked memory, or memory, does not suffice.</exception>
    public void LockInMemory()
    {
        if (Libc.mlock(handle, (nuint)Length) != 0)
            LinuxException.Throw($"mlock of {Length} bytes");
    }

    /// <summary>Allocates a part's pages now, before they are touched (madvise(2), MADV_POPULATE_WRITE). Any thread.</summary>
    /// <param name="offset">Bytes from the start, a multiple of the page size.</param>
    /// <param name="length">Bytes. Before Linux 5.14 nothing happens, and pages are allocated when they are touched.</param>
    /// <exception cref="LinuxException">The host has no more memory.</exception>
    public void Populate(ulong offset, ulong length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - offset);
        if (Libc.madvise(handle + (nint)offset, (nuint)length, Libc.MADV_POPULATE_WRITE) != 0 && LinuxException.Last != Errno.EINVAL)
            LinuxException.Throw($"madvise MADV_POPULATE_WRITE of {length} bytes");
    }

    /// <summary>Leaves it out of this process's core dumps (madvise(2), MADV_DONTDUMP).</summary>
    public void LeaveOutOfCore()
    {
        if (Libc.madvise(handle, (nuint)Length, Libc.MADV_DONTDUMP) != 0)
            LinuxException.Throw("madvise MADV_DONTDUMP");
    }

    /// <summary>Reads a register with a single access of its width.</summary>
    /// <param name="offset">Bytes from the start, a multiple of the width.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The register is not wholly inside, not aligned, or of another width.</exception>
    public unsafe ulong ReadRegister(ulong offset, int width)
    {
        var at = Register(offset, width);
        // SAFETY: the register was checked to be inside the mapping, which is open.
        return width switch
        {
            1 => Volatile.Read(ref *at),
            2 => Volatile.Read(ref *(ushort*)at),
            4 => Volatile.Read(ref *(uint*)at),
            _ => Volatile.Read(ref *(ulong*)at),
        };
    }

    /// <summary>Writes a register with a single access of its width.</summary>
    public unsafe void WriteRegister(ulong offset, int width, ulong value)
    {
        var at = Register(offset, width);
        // SAFETY: as above.
        switch (width)
        {
            case 1: Volatile.Write(ref *at, (byte)value); break;
            case 2: Volatile.Write(ref *(ushort*)at, (ushort)value); break;
            case 4: Volatile.Write(ref *(uint*)at, (uint)value); break;
            default: Volatile.Write(ref *(ulong*)at, value); break;
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => Libc.munmap(handle, (nuint)Length) == 0;

    // Maps at an address that is the offset's equal modulo the largest page that there is room for. More than is needed is reserved, which
    // costs addresses only, mapped over in the right place, and what is too much at both ends given back.
    private static nint MapAligned(nuint size, long offset, int protection, int flags, int fd)
    {
        var alignment = size >= LargestPage ? LargestPage : LargePage;
        var start = Libc.mmap(
            0, checked(size + alignment), Libc.PROT_NONE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, -1, 0);
        if (start == Libc.MAP_FAILED)
            LinuxException.Throw($"mmap of {size} bytes");
        var before = ((nuint)offset - (nuint)start) % alignment;
        var address = start + (nint)before;
        if (Libc.mmap(address, size, protection, flags | Libc.MAP_FIXED, fd, offset) == Libc.MAP_FAILED)
        {
            var failure = new LinuxException($"mmap of {size} bytes", LinuxException.Last);
            _ = Libc.munmap(start, size + alignment);
            throw failure;
        }
        if ((before > 0 && Libc.munmap(start, before) != 0) || Libc.munmap(address + (nint)size, alignment - before) != 0)
            LinuxException.Throw("munmap");
        return address;
    }

    private unsafe byte* Register(ulong offset, int width)
    {
        if (width is not (1 or 2 or 4 or 8) || offset % (uint)width != 0)
            throw new ArgumentOutOfRangeException(nameof(width), width, "a register has 1, 2, 4 or 8 bytes and is aligned to them");
        if (offset > Length || Length - offset < (uint)width)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, "outside the mapping");
        ObjectDisposedException.ThrowIf(IsClosed, this);
        return (byte*)handle + offset;
    }
}
