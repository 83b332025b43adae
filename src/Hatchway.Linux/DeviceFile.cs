using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>Questions about files under /dev.</summary>
public static class DeviceFile
{
    /// <summary>Tries to open a file for reading and writing, and closes it again.</summary>
    /// <param name="path">Which.</param>
    /// <param name="errno">Why not.</param>
    public static bool CanOpen(string path, out Errno errno)
    {
        var fd = Libc.open(path, Libc.O_RDWR | Libc.O_CLOEXEC);
        errno = fd < 0 ? LinuxException.Last : Errno.None;
        return fd >= 0 && Libc.close(fd) == 0;
    }
}
