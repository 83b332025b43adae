using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>Questions about files under /dev.</summary>
public static class DeviceFile
{
    /// <summary>Tries to open a file for reading and writing, and closes it again.</summary>
    /// <param name="path">The file.</param>
    /// <param name="errno">Why it can't be opened; <see cref="Errno.None"/> when it can.</param>
    public static bool CanOpen(string path, out Errno errno)
    {
        var fd = Libc.open(path, Libc.O_RDWR | Libc.O_CLOEXEC);
        errno = fd < 0 ? LinuxException.Last : Errno.None;
        return fd >= 0 && Libc.close(fd) == 0;
    }

    /// <summary>Makes a user the file's owner; its group stays.</summary>
    /// <param name="path">The file.</param>
    /// <param name="user">The user's number.</param>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    public static void GiveTo(string path, uint user) => LinuxException.Check(Libc.chown(path, user, uint.MaxValue), $"chown {path}");
}
