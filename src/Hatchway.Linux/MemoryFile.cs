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

    /// <summary>Makes a block of zeroes. Pages are taken when they are first touched.</summary>
    /// <param name="name">For /proc only.</param>
    /// <param name="length">Bytes, a multiple of the page size.</param>
    /// <exception cref="LinuxException">The kernel refuses the size.</exception>
    public static MemoryFile Create(string name, ulong length)
    {
        var fd = LinuxException.Check(Libc.memfd_create(name, Libc.MFD_CLOEXEC), "memfd_create");
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
