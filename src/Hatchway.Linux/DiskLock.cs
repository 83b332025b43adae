using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>
/// Keeps two guests from writing the same disk: locks of an open file (fcntl(2), "Open file description locks"), at the bytes that QEMU
/// locks, too (block/file-posix.c, RAW_LOCK_PERM_BASE and RAW_LOCK_SHARED_BASE), so that each sees the other.
/// </summary>
/// <remarks>They go when the file is closed, however its process ends. All are read locks, of which a byte may have many: to look is to
/// ask for who is in the way of a write lock.</remarks>
internal static unsafe class DiskLock
{
    // A byte each for what its holder does, and for what it lets nobody else do.
    private const long Does = 100;
    private const long Forbids = 200;
    private const long Read = 0;
    private const long Write = 1;
    private const long Resize = 3;

    /// <summary>Takes what belongs to a use of the disk, and looks whether others go together with it.</summary>
    /// <param name="fd">An open file.</param>
    /// <param name="write">It will be written.</param>
    /// <param name="shared">Others may write it meanwhile.</param>
    /// <returns>False when somebody has it open who does not; true, too, where the file system knows no locks.</returns>
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
        // SAFETY: a structure on the stack. Who holds a write lock there is found by the look that follows; where there are no locks
        // there is nothing to take.
        _ = Libc.fcntl(fd, Libc.F_OFD_SETLK, &range);
    }

    // The file's own locks are in nobody's way but others'.
    private static bool IsFree(int fd, long at)
    {
        var range = new flock { l_type = Libc.F_WRLCK, l_start = at, l_len = 1 };
        // SAFETY: a structure on the stack, which the kernel fills.
        return Libc.fcntl(fd, Libc.F_OFD_GETLK, &range) < 0 || range.l_type == Libc.F_UNLCK;
    }
}
