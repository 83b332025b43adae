using Hatchway.CommandLine;
using Hatchway.Configuration;
using Hatchway.Control;
using Hatchway.Firmware;
using Hatchway.Linux;
using Hatchway.Linux.Sandbox;
using Hatchway.Passthrough.Host;
using Microsoft.Extensions.Logging;

namespace Hatchway.Vm;

/// <summary>Restricts the process, so that a guest that breaks out of KVM into it can do next to nothing.</summary>
/// <remarks>
/// Files are restricted first, before the program starts a thread or opens anything, because Landlock applies to the calling thread and
/// to threads that it starts, and a guest that restarts opens its files again. System calls are restricted once everything is open, in all
/// threads.
/// </remarks>
internal static class GuestSandbox
{
    // Files that every guest's process uses, including those of .NET's runtime.
    private static readonly FileRule[] Always =
    [
        new("/proc", FileRights.Read),
        new("/sys", FileRights.Read),
        new("/usr", FileRights.Read),
        new("/lib", FileRights.Read),
        new("/lib64", FileRights.Read),
        new("/etc/ld.so.cache", FileRights.Read),
        new("/etc/localtime", FileRights.Read),
        new("/etc/passwd", FileRights.Read),
        new("/etc/nsswitch.conf", FileRights.Read),
        new("/dev/urandom", FileRights.Read),
        new("/dev/null", FileRights.Read | FileRights.Write),
        new("/dev/kvm", FileRights.Read | FileRights.Write),
    ];

    // Variables that name files, and last words of devices' variables that do.
    private static readonly string[] ReadOnly = ["hatchway.kernel", "hatchway.initrd", "lpc.bootrom", "rom", "file"];
    private static readonly string[] Written = ["lpc.bootvars", "path"];

    /// <summary>Restricts the process to the files that its guest needs.</summary>
    /// <param name="options">The guest's options.</param>
    /// <param name="control">The folder of its control socket, or null.</param>
    /// <param name="log">Receives a warning when the kernel has no Landlock.</param>
    public static void RestrictFiles(RunOptions options, ControlFolder? control, ILogger log)
    {
        if (!options.Sandboxed)
            return;
        if (Landlock.Version == 0)
        {
            log.NoLandlock();
            return;
        }
        RemoveDiagnostics();
        var mounts = HostMount.ParseAll(KernelFile.Read("/proc/self/mountinfo"));
        IEnumerable<FileRule> rules =
        [
            .. Always, .. OfProgram(), .. OfDevices(options), .. OfState(options, control),
            .. OfSettings(options.Settings, options.RestartOnReboot),
        ];
        Landlock.Restrict(rules.Select(rule => Named(rule, mounts)));
    }

    /// <summary>Restricts the process to the system calls that its guest needs.</summary>
    public static void RestrictSystemCalls(RunOptions options)
    {
        if (options.Sandboxed)
            SystemCallFilter.Restrict(GuestSystemCalls.For(options.RestartOnReboot));
    }

    // Landlock identifies a file by its inode. 9p makes a new inode at each lookup, except for the mount's root: so all of such a mount is
    // allowed.
    private static FileRule Named(FileRule rule, IReadOnlyList<HostMount> mounts)
    {
        var path = Path.GetFullPath(rule.Path);
        var mount = mounts.Where(mount => path == mount.Place || path.StartsWith(mount.Place.TrimEnd('/') + '/', StringComparison.Ordinal))
            .MaxBy(static mount => mount.Place.Length);
        return rule with { Path = mount is { Kind: "9p" } ? mount.Place : path };
    }

    // Removes the sockets by which .NET's debuggers connect. The runtime opens them at its start, and names them after the process and its
    // start time (proc(5), stat, the 20th field after the command's name).
    private static void RemoveDiagnostics()
    {
        var folder = Path.GetTempPath();
        if (!Directory.Exists(folder))
            return;
        var stat = KernelFile.Read("/proc/self/stat");
        var process = $"{Environment.ProcessId}-{stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19]}";
        ReadOnlySpan<string> names =
            [$"dotnet-diagnostic-{process}-socket", $"clr-debug-pipe-{process}-in", $"clr-debug-pipe-{process}-out"];
        foreach (var name in names)
            File.Delete(Path.Combine(folder, name));
    }

    // Unless the program is a single file, its parts are loaded when they are needed.
    private static IEnumerable<FileRule> OfProgram()
    {
        if (!File.Exists(Path.Combine(AppContext.BaseDirectory, "hatchway.dll")))
        {
            yield return new(Environment.ProcessPath!, FileRights.Read);
            yield break;
        }
        yield return new(AppContext.BaseDirectory, FileRights.Read);
        yield return new(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), FileRights.Read);
    }

    // The folder of groups, not the group's file: a device that is unbound and bound again gets a new file.
    private static IEnumerable<FileRule> OfDevices(RunOptions options)
    {
        if (options.Slots.Any(static slot => slot.Emulation is PassthruSlot))
            yield return new("/dev/vfio", FileRights.Read | FileRights.Write);
        if (options.Slots.Any(static slot => slot.Emulation is DeviceSlot { Model: "virtio-net" }))
            yield return new("/dev/net/tun", FileRights.Read | FileRights.Write);
        if (options.SerialPorts.Any(static port => port.Backend is PseudoTerminalBackend))
        {
            yield return new("/dev/ptmx", FileRights.Read | FileRights.Write);
            yield return new("/dev/pts", FileRights.Read | FileRights.Write);
        }
    }

    private static IEnumerable<FileRule> OfState(RunOptions options, ControlFolder? control)
    {
        if (control is not null)
            yield return new(control.Path, FileRights.Read | FileRights.Create);
        if (options.Firmware is { } firmware && FirmwareFiles.MakeOwnFolder(firmware, options.Name) is { } state)
            yield return new(state, FileRights.Read | FileRights.Create);
        if (options.Firmware?.Code is { } code && InstalledFirmware.FreshVariables(code) is { } fresh)
            yield return new(fresh, FileRights.Read);
    }

    private static IEnumerable<FileRule> OfSettings(ConfigurationTree settings, bool restarts)
    {
        foreach (var setting in settings.All)
        {
            var word = setting.Name[(setting.Name.LastIndexOf('.') + 1)..];
            var node = setting.Name[..^word.Length];
            var value = settings.Text(setting.Name)!;
            if (word == "path" && node.Contains(".port.", StringComparison.Ordinal))
                yield return new(Folder(value), FileRights.Read | FileRights.Create);
            else if (node.EndsWith(".handler.", StringComparison.Ordinal))
                yield return new(Folder(value), FileRights.Read);
            else if (ReadOnly.Contains(setting.Name) || ReadOnly.Contains(word))
            {
                yield return new(value, FileRights.Read);
                if (restarts && FolderOfSuccessor(value) is { } folder)
                    yield return new(folder, FileRights.Read);
            }
            else if (Written.Contains(setting.Name) || Written.Contains(word))
                yield return new(value, FileRights.Read | (settings.Root.Flag(node + "ro", false) ? FileRights.Control : FileRights.Write));
        }
    }

    // A guest that restarts opens its kernel again. An upgrade may have put a new file beside the old one or in its place, so the folder is
    // allowed. Null when the value is no file, as rom=off, or lies in the root folder, which would allow everything.
    private static string? FolderOfSuccessor(string file)
    {
        if (!File.Exists(file))
            return null;
        var folder = Folder(File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file);
        return folder == "/" ? null : folder;
    }

    private static string Folder(string file) => Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/";
}
