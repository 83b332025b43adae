using System.Runtime.InteropServices;

namespace Hatchway.Linux.Interop;

/// <summary>Signals, threads and limits: tgkill(2), sigaction(2), getrlimit(2), sched_setaffinity(2), localtime(3).</summary>
internal static unsafe partial class Libc
{
    public const int SA_RESTART = 0x1000_0000;
    public const int RLIMIT_MEMLOCK = 8;

    /// <summary>The first real-time signal that glibc leaves to programs. The .NET runtime uses it, so kicks use the next.</summary>
    public const int SIGRTMIN = 34;

    [LibraryImport(Name)]
    public static partial int getpid();

    [LibraryImport(Name)]
    public static partial int gettid();

    [LibraryImport(Name, SetLastError = true)]
    public static partial int tgkill(int tgid, int tid, int signal);

    [LibraryImport(Name, EntryPoint = "sigaction", SetLastError = true)]
    public static partial int sigaction_(int signal, sigaction* action, sigaction* old);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int sched_setaffinity(int thread, nuint bytes, ulong* mask);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int sched_getaffinity(int thread, nuint bytes, ulong* mask);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int getrlimit(int resource, rlimit* limit);

    [LibraryImport(Name, SetLastError = true)]
    public static partial tm* localtime_r(long* time, tm* local);
}

// The C library's set has 1024 bits; the kernel uses the first 64.
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct sigset_t
{
    public fixed ulong __val[16];
}

[StructLayout(LayoutKind.Sequential)]
internal struct sigaction
{
    public nint sa_handler;
    public sigset_t sa_mask;
    public int sa_flags;
    public nint sa_restorer;
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
