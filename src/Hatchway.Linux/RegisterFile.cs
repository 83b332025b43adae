using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>A sysfs file that accesses registers: <c>config</c>, or a BAR's <c>resourceN</c> (Linux
/// Documentation/PCI/sysfs-pci.rst).</summary>
/// <remarks>Config space and I/O ports are read and written; memory is mapped. Any thread may call.</remarks>
public sealed class RegisterFile : FileDescriptor
{
    private RegisterFile(int fd)
        : base(fd)
    {
    }

    /// <summary>Opens it for reading and writing.</summary>
    /// <exception cref="LinuxException">It can't be opened.</exception>
    public static RegisterFile Open(string path) => new(OpenPath(path, Libc.O_RDWR));

    /// <summary>Reads a register with one pread of its width, which the kernel turns into one access.</summary>
    /// <param name="offset">Bytes from the start.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    /// <param name="value">Little-endian; 0 when it failed.</param>
    /// <returns>False when the device did not answer.</returns>
    /// <exception cref="LinuxException">The kernel refuses the access: EPERM where it is locked down
    /// (kernel_lockdown(7)).</exception>
    public unsafe bool TryRead(ulong offset, int width, out ulong value)
    {
        using var use = Use();
        ulong read = 0;
        // SAFETY: at most eight bytes, on the stack.
        var done = Libc.pread(use.Fd, &read, (nuint)Math.Min(width, sizeof(ulong)), (long)offset);
        if (done < 0)
            LinuxException.Throw("pread");
        value = done == width ? read : 0;
        return done == width;
    }

    /// <summary>Writes a register, in the same way.</summary>
    public unsafe bool TryWrite(ulong offset, int width, ulong value)
    {
        using var use = Use();
        // SAFETY: at most eight bytes, on the stack.
        var done = Libc.pwrite(use.Fd, &value, (nuint)Math.Min(width, sizeof(ulong)), (long)offset);
        if (done < 0)
            LinuxException.Throw("pwrite");
        return done == width;
    }

    /// <summary>Maps it from its start.</summary>
    /// <param name="length">Bytes, whole pages.</param>
    /// <exception cref="LinuxException">The kernel refuses: a driver has claimed it, or it is not memory.</exception>
    public MemoryMapping Map(ulong length) => MemoryMapping.Create(this, 0, length, writable: true);
}
