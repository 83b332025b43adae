using Hatchway.Passthrough.Host;

namespace Hatchway.Host;

/// <summary>The file that lists the functions to reserve at each boot.</summary>
internal static class PersistentFile
{
    public const string FullName = "/etc/hatchway/pptdevs.conf";
    private const string Unit = "systemd/system/hatchway-reserve.service";
    private const string InitramfsHook = "/usr/share/initramfs-tools/hooks/hatchway";

    /// <summary>Reads the file; empty when it does not exist.</summary>
    public static IReadOnlyList<PersistentDevice> Read()
    {
        try
        {
            return PersistentDevice.ParseAll(Text());
        }
        catch (FormatException failure)
        {
            throw new UserException($"{FullName}: {failure.Message}");
        }
    }

    /// <summary>Replaces the file atomically.</summary>
    public static void Write(IReadOnlyList<PersistentDevice> devices)
    {
        try
        {
            var text = PersistentDevice.Replace(Text(), devices);
            Directory.CreateDirectory(Path.GetDirectoryName(FullName)!);
            File.WriteAllText($"{FullName}.new", text);
            File.Move($"{FullName}.new", FullName, overwrite: true);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{FullName} can't be written: {failure.Message}");
        }
    }

    /// <summary>Steps that the user still has to take for the file to have effect.</summary>
    public static IEnumerable<string> Reminders()
    {
        if (!((string[])["/etc", "/lib", "/usr/lib"]).Any(static folder => File.Exists(Path.Combine(folder, Unit))))
            yield return $"nothing of this host reads {FullName} at boot: install hatchway-reserve.service, of the Debian package";
        if (File.Exists(InitramfsHook))
            yield return "the initramfs has a copy of its own: 'update-initramfs -u' has it changed there, too";
    }

    private static string Text()
    {
        try
        {
            return File.Exists(FullName) ? File.ReadAllText(FullName) : "";
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{FullName} can't be read: {failure.Message}");
        }
    }
}
