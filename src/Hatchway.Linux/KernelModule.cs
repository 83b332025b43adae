using System.Diagnostics;

namespace Hatchway.Linux;

/// <summary>Modules of the kernel (modprobe(8)).</summary>
public static class KernelModule
{
    private const string LoaderSetting = "/proc/sys/kernel/modprobe";

    /// <summary>Loads a module and those it depends on, with the program that the kernel itself uses.</summary>
    /// <exception cref="IOException">The module can't be loaded; the message has the program's output.</exception>
    public static void Load(string name)
    {
        // The setting is empty where the kernel is to load no module by itself.
        var program = File.Exists(LoaderSetting) && File.ReadAllText(LoaderSetting).Trim() is { Length: > 0 } set ? set : "/sbin/modprobe";
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, [name]) { RedirectStandardError = true })!;
            var errors = process.StandardError.ReadToEnd().Trim();
            process.WaitForExit();
            if (process.ExitCode != 0)
                throw new IOException($"the module {name} can't be loaded: {errors}");
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            throw new LinuxException($"{program} {name}", (Errno)failure.NativeErrorCode);
        }
    }
}
