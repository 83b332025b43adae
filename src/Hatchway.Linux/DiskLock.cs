using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>
/// Keeps two guests from writing the same disk. It locks bytes of the open file (fcntl(2), "Open file description locks"), the same that
/// QEMU locks (block/file-posix.c, RAW_LOCK_PERM_BASE and RAW_LOCK_SHARED_BASE), so that each sees the other.
/// </summary>
/// <remarks>The kernel drops the locks when the file is closed, however its process ends. All are read locks, of which a byte may have
/// many; whether another open file holds one is asked with F_OFD_GETLK for a write lock.</remarks>
internal static unsafe class DiskLock
{
    // Two ranges of bytes: what the holder does, and what it forbids others. Each permission has one byte in each.
    private const long Does = 100;
    private const long Forbids = 200;
    private const long Read = 0;
    private const long Write = 1;
    private const long Resize = 3;

    /// <summary>Takes the locks for a use of the disk, then checks that no other use conflicts.</summary>
    /// <param name="fd">An open file.</param>
    /// <param name="write">The caller will write it.</param>
    /// <param name="shared">Others may write it meanwhile.</param>
    /// <returns>False when a use by another open file conflicts; true also where the file system has no locks.</returns>
    public static bool TryTake(int fd, bool write, bool shared)
    {
        Take(fd, Does + Read);
        Take(fd, Forbids + Resize);
        if (write)
            Take(fd, Does + Write);
        if (!shared)
            Take(fd, Forbids + Write);
        return IsFree(fd, Forbids + Read)
            && IsFree(fd, Does + Resize)
            && (!write || IsFree(fd, Forbids + Write))
            && (shared || IsFree(fd, Does + Write));
    }

    private static void Take(int fd, long at)
    {
        var range = new flock { l_type = Libc.F_RDLCK, l_start = at, l_len = 1 };
        // SAFETY: a structure on the stack. A failure is ignored: the checks that follow look for conflicts, and a file system without
        // locks has nothing to take.
        _ = Libc.fcntl(fd, Libc.F_OFD_SETLK, &range);
    }

    // F_OFD_GETLK does not report this open file's own locks.
    private static bool IsFree(int fd, long at)
    {
        var range = new flock { l_type = Libc.F_WRLCK, l_start = at, l_len = 1 };
        // SAFETY: a structure on the stack, which the kernel fills.
        return Libc.fcntl(fd, Libc.F_OFD_GETLK, &range) < 0 || range.l_type == Libc.F_UNLCK;
    }
}
