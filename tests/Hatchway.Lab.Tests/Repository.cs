using System.Diagnostics;
using System.Globalization;
using System.Reflection;

namespace Hatchway.Lab.Tests;

/// <summary>The working tree under test: its program, and the files that its lab provides for guests.</summary>
internal static class Repository
{
    /// <summary>The folder with the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The published program, which ./test builds.</summary>
    public static string Program { get; } = Path.Combine(Root, "out/hatchway");

    /// <summary>A bzImage.</summary>
    public static string Kernel { get; } = Ask("lab/guest", "kernel");

    /// <summary>The lab's own busybox, since the machine may have none.</summary>
    public static string BusyBox { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Kernel)!, "../bin/busybox"));

    /// <summary>The same kernel as an ELF file with a PVH entry.</summary>
    public static string Vmlinux { get; } = Ask("lab/guest", "vmlinux");

    /// <summary>An initial file system that gives a shell.</summary>
    public static string Initrd { get; } = Ask("lab/guest", "initrd");

    /// <summary>The content of the lab's disk.</summary>
    public static string Disk { get; } = Ask("lab/guest", "disk");

    /// <summary>The path of a class library of the working tree, built in the tests' own configuration.</summary>
    /// <param name="folder">Its project's folder, named as the library.</param>
    public static string Library(string folder)
    {
        var configuration = typeof(Repository).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        return Path.Combine(Root, folder, "bin", configuration, "net10.0", $"{Path.GetFileName(folder)}.dll");
    }

    /// <summary>The program that accesses a device's registers, for the emulated host.</summary>
    public static string RegisterProgram { get; } = Ask("lab/guest", "regread");

    /// <summary>The content of a lab disk with a size, as 4M, and a seed.</summary>
    public static string DiskOf(string size, int seed) => Ask("lab/guest", "disk", size, seed.ToString(CultureInfo.InvariantCulture));

    /// <summary>Makes an initial file system that runs a script.</summary>
    public static void MakeInitrd(string script, string path)
    {
        var file = Path.ChangeExtension(path, ".sh");
        File.WriteAllText(file, script);
        Ask("lab/guest", "initrd", "--script", file, path);
    }

    /// <summary>Makes a disk image from which firmware starts Linux with a boot loader, grub or systemd-boot.</summary>
    public static void MakeEfiDisk(string loader, string initrd, string path) => Ask("lab/guest", "efi-disk", loader, initrd, path);

    /// <summary>Makes a disk image on which firmware's shell runs a script.</summary>
    public static void MakeEfiScript(string script, string path)
    {
        var file = Path.ChangeExtension(path, ".nsh");
        File.WriteAllText(file, script);
        Ask("lab/guest", "efi-script", file, path);
    }

    /// <summary>Makes a disk image with a Debian system.</summary>
    public static void MakeDebianDisk(string path) => Ask("lab/guest", "debian-disk", path);

    /// <summary>Makes a Debian package of the published program in a folder.</summary>
    public static void MakePackage(string folder) => Ask("scripts/package-debian.sh", folder);

    private static string Ask(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(Root, program), arguments) { RedirectStandardOutput = true })!;
        var answer = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        return process.ExitCode == 0 ? answer : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} failed");
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "Hatchway.slnx")))
                continue;
            return File.Exists(Path.Combine(folder.FullName, "out/hatchway"))
                ? folder.FullName
                : throw new InvalidOperationException(
                    "out/hatchway is not there: run ./test, or 'dotnet publish src/Hatchway -c Release -o out'");
        }
        throw new InvalidOperationException("the tests run inside the working tree only");
    }
}
