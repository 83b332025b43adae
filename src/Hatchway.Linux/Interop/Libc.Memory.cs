using System.Runtime.InteropServices;

namespace Hatchway.Linux.Interop;

/// <summary>Memory: mmap(2), munmap(2), mlock(2), madvise(2).</summary>
internal static unsafe partial class Libc
{
    public const int PROT_NONE = 0;
    public const int PROT_READ = 1;
    public const int PROT_WRITE = 2;
    public const int MAP_SHARED = 1;
    public const int MAP_PRIVATE = 2;
    public const int MAP_FIXED = 0x10;
    public const int MAP_ANONYMOUS = 0x20;
    public const int MAP_NORESERVE = 0x4000;
    public const int MADV_HUGEPAGE = 14;
    public const int MADV_DONTDUMP = 16;
    public const int MADV_POPULATE_WRITE = 23;
    public const nint MAP_FAILED = -1;

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint mmap(nint address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int munmap(nint address, nuint length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int mlock(nint address, nuint length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int madvise(nint address, nuint length, int advice);
}
