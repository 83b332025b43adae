using System.Runtime.InteropServices;

namespace Hatchway.Linux.Interop;

/// <summary>Restricting the process: prctl(2), seccomp(2), landlock(7). The C library has no functions for the last two.</summary>
internal static unsafe partial class Libc
{
    public const int O_PATH = 0x200000;
    public const int PR_SET_NO_NEW_PRIVS = 38;

    // asm/unistd_64.h
    public const long SYS_seccomp = 317;
    public const long SYS_landlock_create_ruleset = 444;
    public const long SYS_landlock_add_rule = 445;
    public const long SYS_landlock_restrict_self = 446;

    // linux/seccomp.h
    public const uint SECCOMP_SET_MODE_FILTER = 1;
    public const uint SECCOMP_FILTER_FLAG_TSYNC = 1;

    // linux/landlock.h
    public const uint LANDLOCK_CREATE_RULESET_VERSION = 1;
    public const int LANDLOCK_RULE_PATH_BENEATH = 1;

    [LibraryImport(Name, SetLastError = true)]
    public static partial int prctl(int option, ulong a, ulong b, ulong c, ulong d);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    public static partial long seccomp(long number, uint operation, uint flags, sock_fprog* filter);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    public static partial long landlock_create_ruleset(long number, landlock_ruleset_attr* attributes, nuint size, uint flags);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    public static partial long landlock_add_rule(long number, int ruleset, int type, landlock_path_beneath_attr* rule, uint flags);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    public static partial long landlock_restrict_self(long number, int ruleset, uint flags);
}

// linux/landlock.h. Later versions append fields, which the kernel takes as zero when the size given does not include them.
[StructLayout(LayoutKind.Sequential)]
internal struct landlock_ruleset_attr
{
    public ulong handled_access_fs;
}

[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct landlock_path_beneath_attr
{
    public ulong allowed_access;
    public int parent_fd;
}

// linux/filter.h
[StructLayout(LayoutKind.Sequential)]
internal struct sock_filter
{
    public ushort code;
    public byte jt;
    public byte jf;
    public uint k;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct sock_fprog
{
    public ushort len;
    public sock_filter* filter;
}
