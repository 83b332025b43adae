using System.Runtime.InteropServices;

namespace Hatchway.Linux.Interop;

/// <summary>Signals, threads and limits: tgkill(2), pthread_sigmask(3), sigtimedwait(2), getrlimit(2),
/// sched_setaffinity(2), localtime(3).</summary>
internal static unsafe partial class Libc
{
    public const int SIG_BLOCK = 0;
    public const int RLIMIT_MEMLOCK = 8;

    /// <summary>The first signal that glibc leaves to programs is 34; the .NET runtime takes it, so kicks use the next.</summary>
    public const int SIGRTMIN = 34;

    [LibraryImport(Name)]
    public static partial int getpid();

    [LibraryImport(Name)]
    public static partial int gettid();

    [LibraryImport(Name, SetLastError = true)]
    public static partial int tgkill(int tgid, int tid, int signal);

    // Returns the error number itself.
    [LibraryImport(Name)]
    public static partial int pthread_sigmask(int how, sigset_t* set, sigset_t* old);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int sigtimedwait(sigset_t* set, void* info, timespec* timeout);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int sched_setaffinity(int thread, nuint bytes, ulong* mask);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int sched_getaffinity(int thread, nuint bytes, ulong* mask);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int getrlimit(int resource, rlimit* limit);

    [LibraryImport(Name, SetLastError = true)]
    public static partial tm* localtime_r(long* time, tm* local);
}

// The C library's 1024 bits; the kernel's own set is the first 64 of them.
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct sigset_t
{
    public fixed ulong __val[16];
}

[StructLayout(LayoutKind.Sequential)]
internal struct timespec
{
    public long tv_sec;
    public long tv_nsec;
}

[StructLayout(LayoutKind.Sequential)]
internal struct tm
{
    public int tm_sec;
    public int tm_min;
    public int tm_hour;
    public int tm_mday;
    public int tm_mon;
    public int tm_year;
    public int tm_wday;
    public int tm_yday;
    public int tm_isdst;
    public long tm_gmtoff;
    public nint tm_zone;
}

[StructLayout(LayoutKind.Sequential)]
internal struct rlimit
{
    public ulong rlim_cur;
    public ulong rlim_max;
}
