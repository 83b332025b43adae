namespace Hatchway.Passthrough.Host;

/// <summary>A thing of a function's that the host uses.</summary>
/// <param name="Words">What, as <c>nvme0n1p2 is mounted at /</c>.</param>
/// <param name="IsRoot">The host's root file system is on it.</param>
internal sealed record BlockUse(string Words, bool IsRoot);

/// <summary>What the host does with a function's disks, and with what is made of them: LUKS, LVM, RAID, btrfs, ZFS.</summary>
internal static class BlockUses
{
    /// <summary>The function's block devices, their partitions, and what is made of them.</summary>
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

    /// <summary>Those of them that are mounted or swapped to, and as what.</summary>
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

    // A file system that may span devices, as btrfs, has a number of its own, and names one of its devices.
    private static bool IsOn(HostView view, HostMount mount, string device)
    {
        if (mount.Device == view.Sysfs.TryReadText($"class/block/{device}/dev"))
            return true;
        if (mount.Kind == "zfs")
            return PoolOf(view, device) is { } pool && mount.Source.Split('/')[0] == pool;
        var sources = Sources(view, mount);
        return sources.Contains(device) || (mount.Kind == "btrfs" && BtrfsPeers(view, device).Any(sources.Contains));
    }

    // bcachefs names all of its devices, with colons between.
    private static string[] Sources(HostView view, HostMount mount) => mount.Source.StartsWith("/dev/", StringComparison.Ordinal)
        ? Array.ConvertAll(mount.Source.Split(':'), view.KernelNameOf)
        : [];

    // fs/btrfs/sysfs.c, btrfs_sysfs_add_device: a link for each device of a mounted file system.
    private static IEnumerable<string> BtrfsPeers(HostView view, string device) => view.Sysfs.List("fs/btrfs")
        .Select(id => view.Sysfs.List($"fs/btrfs/{id}/devices"))
        .Where(members => members.Contains(device))
        .SelectMany(static members => members);

    // ZFS tells the kernel of no device that it has; udev reads its label (libblkid, zfs_member).
    private static string? PoolOf(HostView view, string device)
    {
        var properties = view.UdevProperties(device);
        return properties.GetValueOrDefault("ID_FS_TYPE") == "zfs_member" ? properties.GetValueOrDefault("ID_FS_LABEL") : null;
    }

    private static bool IsSwap(HostView view, string device) => (view.Proc("swaps") ?? "").Split('\n')
        .Select(static line => line.Split(' ', '\t')[0])
        .Any(file => file.StartsWith("/dev/", StringComparison.Ordinal) && view.KernelNameOf(file) == device);
}
