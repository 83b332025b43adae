using Hatchway.Linux.Interop;

namespace Hatchway.Linux.Sandbox;

/// <summary>What may be done with a file, or with everything below a folder.</summary>
[Flags]
public enum FileRights
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Read files, list folders.</summary>
    Read = 1,

    /// <summary>Write existing files, and all that <see cref="Control"/> allows.</summary>
    Write = 2,

    /// <summary>Make, write and remove files, and make sockets.</summary>
    Create = 4,

    /// <summary>Control devices (ioctl(2)).</summary>
    Control = 8,
}

/// <summary>A file or folder, and what may be done there.</summary>
/// <param name="Path">Where it is. A rule for a missing path has no effect.</param>
/// <param name="Rights">What may be done.</param>
public sealed record FileRule(string Path, FileRights Rights);

/// <summary>Restricts which files a process may use (landlock(7)).</summary>
public static class Landlock
{
    // LANDLOCK_ACCESS_FS_* of linux/landlock.h.
    private const ulong Execute = 1 << 0;
    private const ulong WriteFile = 1 << 1;
    private const ulong ReadFile = 1 << 2;
    private const ulong ReadDirectory = 1 << 3;
    private const ulong RemoveFile = 1 << 5;
    private const ulong MakeRegular = 1 << 8;
    private const ulong MakeSocket = 1 << 9;
    private const ulong Truncate = 1 << 14;
    private const ulong ControlDevice = 1 << 15;

    // Rights that a rule for a single file may have; the others concern a folder's entries.
    private const ulong OfFiles = Execute | WriteFile | ReadFile | Truncate | ControlDevice;

    // All file rights that each version of the interface knows, from version 1 (landlock(7), "Landlock ABI").
    private static readonly ulong[] Known = [0x1FFF, 0x3FFF, 0x7FFF, 0x7FFF, 0xFFFF];

    /// <summary>Version of the kernel's interface, from 1; 0 when it has none, or it is switched off.</summary>
    public static unsafe int Version =>
        (int)Math.Max(Libc.landlock_create_ruleset(Libc.SYS_landlock_create_ruleset, null, 0, Libc.LANDLOCK_CREATE_RULESET_VERSION), 0);

    /// <summary>
    /// Restricts the calling thread, and all threads and processes started from it afterwards. Nothing may be executed any more; open files
    /// stay open. It can't be undone.
    /// </summary>
    /// <param name="allowed">Files and folders with what may be done there.</param>
    /// <exception cref="LinuxException">The kernel refuses; nothing is restricted then.</exception>
    public static unsafe void Restrict(IEnumerable<FileRule> allowed)
    {
        ArgumentNullException.ThrowIfNull(allowed);
        var handled = Known[Math.Clamp(Version, 1, Known.Length) - 1];
        // SAFETY: one structure on the stack, whose size is given.
        var attributes = new landlock_ruleset_attr { handled_access_fs = handled };
        using var ruleset = new FileDescriptor(
            LinuxException.Check(
                (int)Libc.landlock_create_ruleset(Libc.SYS_landlock_create_ruleset, &attributes, (nuint)sizeof(landlock_ruleset_attr), 0),
                "landlock_create_ruleset"));
        using var use = ruleset.Use();
        foreach (var (path, rights) in allowed)
            Allow(use.Fd, path, Bits(rights) & handled);
        NoNewPrivileges();
        LinuxException.Check((int)Libc.landlock_restrict_self(Libc.SYS_landlock_restrict_self, use.Fd, 0), "landlock_restrict_self");
    }

    /// <summary>Keeps executed programs from gaining privileges, whatever their files say. The kernel requires it before it restricts an
    /// unprivileged process.</summary>
    internal static void NoNewPrivileges() =>
        LinuxException.Check(Libc.prctl(Libc.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl PR_SET_NO_NEW_PRIVS");

    private static unsafe void Allow(int ruleset, string path, ulong rights)
    {
        var fd = Libc.open(path, Libc.O_PATH | Libc.O_CLOEXEC);
        if (fd < 0)
            return;
        using var file = new FileDescriptor(fd);
        // SAFETY: one structure on the stack.
        var rule = new landlock_path_beneath_attr
        {
            allowed_access = Directory.Exists(path) ? rights : rights & OfFiles,
            parent_fd = fd,
        };
        if (rule.allowed_access == 0)
            return;
        LinuxException.Check(
            (int)Libc.landlock_add_rule(Libc.SYS_landlock_add_rule, ruleset, Libc.LANDLOCK_RULE_PATH_BENEATH, &rule, 0),
            $"landlock_add_rule {path}");
    }

    private static ulong Bits(FileRights rights) =>
        (rights.HasFlag(FileRights.Read) ? ReadFile | ReadDirectory : 0)
        | (rights.HasFlag(FileRights.Write) ? WriteFile | Truncate | ControlDevice : 0)
        | (rights.HasFlag(FileRights.Control) ? ControlDevice : 0)
        | (rights.HasFlag(FileRights.Create) ? WriteFile | Truncate | MakeRegular | MakeSocket | RemoveFile : 0);
}
