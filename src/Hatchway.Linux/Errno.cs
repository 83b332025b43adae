namespace Hatchway.Linux;

/// <summary>Error numbers that callers tell apart, with the kernel's names and values (asm-generic/errno-base.h).</summary>
/// <remarks>A value that is not listed is printed as its number.</remarks>
public enum Errno
{
    /// <summary>No error.</summary>
    None = 0,

    /// <summary>Operation not permitted.</summary>
    EPERM = 1,

    /// <summary>No such file or directory.</summary>
    ENOENT = 2,

    /// <summary>Interrupted by a signal.</summary>
    EINTR = 4,

    /// <summary>Input/output error.</summary>
    EIO = 5,

    /// <summary>No such device or address.</summary>
    ENXIO = 6,

    /// <summary>Try again.</summary>
    EAGAIN = 11,

    /// <summary>Out of memory, or a limit on locked memory reached.</summary>
    ENOMEM = 12,

    /// <summary>Permission denied.</summary>
    EACCES = 13,

    /// <summary>Device or resource busy.</summary>
    EBUSY = 16,

    /// <summary>The file or the mapping is already there.</summary>
    EEXIST = 17,

    /// <summary>No such device.</summary>
    ENODEV = 19,

    /// <summary>Invalid argument.</summary>
    EINVAL = 22,

    /// <summary>Not a terminal, or a request that the device does not know.</summary>
    ENOTTY = 25,

    /// <summary>No space left; for a device's interrupts: the CPUs have no vector left.</summary>
    ENOSPC = 28,

    /// <summary>Read-only file system.</summary>
    EROFS = 30,

    /// <summary>A name is longer than it may be.</summary>
    ENAMETOOLONG = 36,

    /// <summary>The kernel has no such system call.</summary>
    ENOSYS = 38,

    /// <summary>The client left before its connection was accepted.</summary>
    ECONNABORTED = 103,
}
