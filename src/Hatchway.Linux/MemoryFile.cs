using System.Numerics;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>Memory with a file descriptor (memfd_create(2)), so that it can be shared with the kernel's drivers and other
/// processes.</summary>
public sealed class MemoryFile : FileDescriptor
{
    private MemoryFile(int fd, ulong length)
        : base(fd)
    {
        Length = length;
    }

    /// <summary>Bytes.</summary>
    public ulong Length { get; }

    /// <summary>Makes zeroed memory. Pages are allocated when they are first touched.</summary>
    /// <param name="name">Shown in /proc only.</param>
    /// <param name="length">Bytes, a multiple of the page size.</param>
    /// <param name="hugePageBytes">
    /// The size of its huge pages, a power of two; 0 for ordinary pages. Mapping the file reserves huge pages in the host's pool.
    /// </param>
    /// <exception cref="LinuxException">The kernel refuses the size, or has no such pages.</exception>
    public static MemoryFile Create(string name, ulong length, ulong hugePageBytes = 0)
    {
        // The flags hold the logarithm of the page size (linux/memfd.h).
        var pages = hugePageBytes == 0 ? 0 : Libc.MFD_HUGETLB | ((uint)BitOperations.Log2(hugePageBytes) << Libc.MFD_HUGE_SHIFT);
        var fd = LinuxException.Check(Libc.memfd_create(name, Libc.MFD_CLOEXEC | pages), "memfd_create");
        var file = new MemoryFile(fd, length);
        if (Libc.ftruncate(fd, checked((long)length)) == 0)
            return file;
        var failure = new LinuxException($"ftruncate to {length} bytes", LinuxException.Last);
        file.Dispose();
        throw failure;
    }

    /// <summary>Maps all of it, shared, readable and writable.</summary>
    public MemoryMapping Map() => MemoryMapping.Create(this, 0, Length, writable: true);
}
