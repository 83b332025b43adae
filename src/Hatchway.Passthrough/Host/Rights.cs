using Hatchway.Linux;

namespace Hatchway.Passthrough.Host;

/// <summary>Whether this process may take a group, and whether somebody else has.</summary>
internal static class Rights
{
    /// <summary>Whether a process has it that this one may see.</summary>
    public static Finding? InUse(DeviceSubject subject)
    {
        if (subject.Device is not { IommuGroup: { } group, IsBoundToVfio: true })
            return null;
        return subject.View.Holders(group) is { Count: > 0 } holders
            ? Finding.Problem($"its group's file is held open by {string.Join(", ", holders)}", "end that first")
            : Finding.Ok("by nobody");
    }

    /// <summary>Whether the file opens, where no process is seen to have it.</summary>
    public static Finding? Look(DeviceSubject subject)
    {
        if (subject.Device is not { IommuGroup: { } group, IsBoundToVfio: true } || subject.View.Holders(group).Count > 0)
            return null;
        var file = subject.View.DeviceFilePath($"vfio/{group}");
        if (!File.Exists(file))
            return Finding.Problem($"{file} is not there", "look for why in 'dmesg | grep -i vfio'");
        if (DeviceFile.CanOpen(file, out var errno))
            return Finding.Ok($"{file} opens");
        return errno == Errno.EBUSY
            ? Finding.Problem(
                $"{file} is held open by a process that this user may not see", $"end that first ('sudo fuser {file}' names it)")
            : Finding.Problem($"{file} can't be opened ({errno})", $"'chown $USER {file}'");
    }
}
