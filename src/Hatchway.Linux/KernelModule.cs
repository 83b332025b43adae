using System.Diagnostics;

namespace Hatchway.Linux;

/// <summary>Modules of the kernel (modprobe(8)).</summary>
public static class KernelModule
{
    private const string LoaderSetting = "/proc/sys/kernel/modprobe";

    /// <summary>Loads a module and what it needs, by the program that the kernel itself uses.</summary>
    /// <exception cref="IOException">It can't be loaded; the message has what the program says.</exception>
    public static void Load(string name)
    {
        // Empty where the kernel itself is to load nothing.
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
