using System.Buffers;
using System.Text;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>Reads small files, mostly of proc(5) and sysfs(5), whose text the kernel makes on reading. Any thread may call.</summary>
public static class KernelFile
{
    // A page holds any attribute of sysfs, and most files of /proc.
    private const int FirstBytes = 4096;

    /// <summary>A file's text.</summary>
    /// <exception cref="LinuxException">It is not there, or can't be read.</exception>
    public static string Read(string path) => Read(path, out var failure) ?? throw new LinuxException($"read {path}", failure);

    /// <summary>A file's text, or null when it is not there or can't be read, without the cost of an exception.</summary>
    public static string? TryRead(string path) => Read(path, out _);

    private static unsafe string? Read(string path, out Errno failure)
    {
        failure = Errno.None;
        var fd = Libc.open(path, Libc.O_RDONLY | Libc.O_CLOEXEC);
        if (fd < 0)
        {
            failure = LinuxException.Last;
            return null;
        }
        using var file = new FileDescriptor(fd);
        var buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
        try
        {
            for (var length = 0; ;)
            {
                nint count;
                // SAFETY: the buffer is pinned for the call, and the kernel writes no more than the rest of it.
                fixed (byte* start = buffer)
                    count = Libc.read(fd, start + length, (nuint)(buffer.Length - length));
                if (count < 0 && LinuxException.Last == Errno.EINTR)
                    continue;
                if (count < 0)
                {
                    failure = LinuxException.Last;
                    return null;
                }
                if (count == 0)
                    return Encoding.UTF8.GetString(buffer, 0, length);
                length += (int)count;
                if (length == buffer.Length)
                    buffer = Grow(buffer);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static byte[] Grow(byte[] full)
    {
        var larger = ArrayPool<byte>.Shared.Rent(2 * full.Length);
        full.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(full);
        return larger;
    }
}
