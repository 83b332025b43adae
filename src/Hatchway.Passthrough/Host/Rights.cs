using Hatchway.Linux;

namespace Hatchway.Passthrough.Host;

/// <summary>The checks of whether this process may open a group, and whether another process has it open.</summary>
internal static class Rights
{
    /// <summary>Checks whether a process has the group open, among those that this process may see.</summary>
    public static Finding? InUse(DeviceSubject subject)
    {
        if (subject.Device is not { IommuGroup: { } group, IsBoundToVfio: true })
            return null;
        return subject.View.Holders(group) is { Count: > 0 } holders
            ? Finding.Problem($"its group's file is held open by {string.Join(", ", holders)}", "end that first")
            : Finding.Ok("by nobody");
    }

    /// <summary>Checks whether the group's file can be opened, if no process is seen to have it open.</summary>
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
