using System.Diagnostics;

namespace Hatchway.Linux;

/// <summary>Modules of the kernel (modprobe(8)).</summary>
public static class KernelModule
{
    private const string LoaderSetting = "/proc/sys/kernel/modprobe";

    /// <summary>Loads a module and what it needs, by the program that the kernel itself uses.</summary>
    /// <exception cref="LinuxException">It can't be loaded; the message has what the program says.</exception>
    public static void Load(string name)
    {
        var program = File.Exists(LoaderSetting) ? File.ReadAllText(LoaderSetting).Trim() : "/sbin/modprobe";
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, [name]) { RedirectStandardError = true })!;
            var errors = process.StandardError.ReadToEnd().Trim();
            process.WaitForExit();
            if (process.ExitCode != 0)
                throw new LinuxException($"modprobe {name}: {errors}", Errno.ENOENT);
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            throw new LinuxException($"{program} {name}", (Errno)failure.NativeErrorCode);
        }
    }
}
