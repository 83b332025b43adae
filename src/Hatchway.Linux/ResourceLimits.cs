using System.Globalization;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>A soft and a hard limit, in the resource's unit; <see cref="ulong.MaxValue"/> means none.</summary>
public readonly record struct ResourceLimit(ulong Soft, ulong Hard);

/// <summary>What this process may do and use (getrlimit(2), capabilities(7), proc(5)).</summary>
public static class ResourceLimits
{
    /// <summary>The capability to lock memory beyond the limit (linux/capability.h).</summary>
    public const int CapIpcLock = 14;

    /// <summary>How many bytes of memory this process may lock.</summary>
    public static unsafe ResourceLimit MemoryLock
    {
        get
        {
            rlimit limit;
            // SAFETY: one structure, on the stack.
            LinuxException.Check(Libc.getrlimit(Libc.RLIMIT_MEMLOCK, &limit), "getrlimit RLIMIT_MEMLOCK");
            return new ResourceLimit(limit.rlim_cur, limit.rlim_max);
        }
    }

    /// <summary>The host's memory in bytes.</summary>
    public static ulong HostMemory => ReadField("/proc/meminfo", "MemTotal:", NumberStyles.None) << 10;

    /// <summary>
    /// True when the process has an effective capability over the host as a whole. In a user namespace of its own, such as a container's, a
    /// process may have all capabilities, but only over what belongs to the namespace (user_namespaces(7), "Capabilities").
    /// </summary>
    /// <param name="capability">Its number in linux/capability.h.</param>
    /// <param name="proc">Where proc(5) is mounted; a folder with recorded files in tests.</param>
    public static bool HasHostCapability(int capability, string proc = "/proc") =>
        IsInInitialUserNamespace(proc)
        && (ReadField($"{proc}/self/status", "CapEff:", NumberStyles.AllowHexSpecifier) & (1ul << capability)) != 0;

    // The initial namespace has the same inode number on every kernel (include/linux/proc_ns.h, PROC_USER_INIT_INO). A kernel without user
    // namespaces has no such link, and every process is in the initial one.
    private static bool IsInInitialUserNamespace(string proc) =>
        new FileInfo($"{proc}/self/ns/user").LinkTarget is null or "user:[4026531837]";

    private static ulong ReadField(string file, string name, NumberStyles style)
    {
        foreach (var line in KernelFile.Read(file).Split('\n'))
        {
            if (!line.StartsWith(name, StringComparison.Ordinal))
                continue;
            var value = line[name.Length..].Replace("kB", "", StringComparison.Ordinal).Trim();
            return ulong.Parse(value, style, CultureInfo.InvariantCulture);
        }
        throw new LinuxException($"{name} in {file}", Errno.ENOENT);
    }
}
