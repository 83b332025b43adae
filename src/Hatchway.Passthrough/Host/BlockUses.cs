namespace Hatchway.Passthrough.Host;

/// <summary>A block device of a function that the host uses.</summary>
/// <param name="Words">Its use, as <c>nvme0n1p2 is mounted at /</c>.</param>
/// <param name="IsRoot">True when the host's root file system is on it.</param>
internal sealed record BlockUse(string Words, bool IsRoot);

/// <summary>Finds how the host uses a function's disks, directly or through LUKS, LVM, RAID, btrfs or ZFS.</summary>
internal static class BlockUses
{
    /// <summary>Lists the function's block devices, their partitions, and the devices built on them.</summary>
    public static IReadOnlyList<string> Devices(DeviceSubject subject)
    {
        var found = new List<string>();
        var next = new Queue<string>(subject.View.BlockDevices(subject.Address));
        while (next.TryDequeue(out var device))
        {
            if (found.Contains(device))
                continue;
            found.Add(device);
            foreach (var holder in subject.View.Sysfs.List($"class/block/{device}/holders"))
                next.Enqueue(holder);
        }
        return found;
    }

    /// <summary>Lists those of them that are mounted or swapped to.</summary>
    public static IReadOnlyList<BlockUse> Of(HostView view, IReadOnlyList<string> devices)
    {
        var uses = new List<BlockUse>();
        foreach (var device in devices)
        {
            var mounts = view.Mounts.Where(mount => IsOn(view, mount, device)).ToList();
            if ((mounts.Find(static mount => mount.Place == "/") ?? mounts.FirstOrDefault()) is { } mount)
                uses.Add(new BlockUse($"{device} is mounted at {mount.Place}", mount.Place == "/"));
            else if (IsSwap(view, device))
                uses.Add(new BlockUse($"{device} is swapped to", IsRoot: false));
        }
        return uses;
    }

    // A file system that can span devices, such as btrfs, has a device number of its own, and names one of its devices as source.
    private static bool IsOn(HostView view, HostMount mount, string device)
    {
        if (mount.Device == view.Sysfs.TryReadText($"class/block/{device}/dev"))
            return true;
        if (mount.Kind == "zfs")
            return PoolOf(view, device) is { } pool && mount.Source.Split('/')[0] == pool;
        var sources = Sources(view, mount);
        return sources.Contains(device) || (mount.Kind == "btrfs" && BtrfsPeers(view, device).Any(sources.Contains));
    }

    // bcachefs names all of its devices, separated by colons.
    private static string[] Sources(HostView view, HostMount mount) => mount.Source.StartsWith("/dev/", StringComparison.Ordinal)
        ? Array.ConvertAll(mount.Source.Split(':'), view.KernelNameOf)
        : [];

    // A mounted file system has a link for each of its devices (fs/btrfs/sysfs.c, btrfs_sysfs_add_device).
    private static IEnumerable<string> BtrfsPeers(HostView view, string device) => view.Sysfs.List("fs/btrfs")
        .Select(id => view.Sysfs.List($"fs/btrfs/{id}/devices"))
        .Where(members => members.Contains(device))
        .SelectMany(static members => members);

    // The kernel does not show which devices a ZFS pool has, but udev reads their labels (libblkid, zfs_member).
    private static string? PoolOf(HostView view, string device)
    {
        var properties = view.UdevProperties(device);
        return properties.GetValueOrDefault("ID_FS_TYPE") == "zfs_member" ? properties.GetValueOrDefault("ID_FS_LABEL") : null;
    }

    private static bool IsSwap(HostView view, string device) => (view.Proc("swaps") ?? "").Split('\n')
        .Select(static line => line.Split(' ', '\t')[0])
        .Any(file => file.StartsWith("/dev/", StringComparison.Ordinal) && view.KernelNameOf(file) == device);
}
