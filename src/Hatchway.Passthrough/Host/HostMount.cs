namespace Hatchway.Passthrough.Host;

/// <summary>A mounted file system: a line of mountinfo (proc(5)).</summary>
/// <param name="Device">Device number, as <c>259:2</c>; the major number is 0 when no single device is behind it.</param>
/// <param name="Place">The mount point.</param>
/// <param name="Kind">The file system's type.</param>
/// <param name="Source">The source that the file system reports: a device file, or a name such as that of a ZFS data set.</param>
public sealed record HostMount(string Device, string Place, string Kind, string Source)
{
    /// <summary>Parses all lines, and skips malformed ones.</summary>
    public static IReadOnlyList<HostMount> ParseAll(string text)
    {
        var mounts = new List<HostMount>();
        foreach (var line in text.Split('\n'))
        {
            // "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
            var words = line.Split(' ');
            var dash = Array.IndexOf(words, "-");
            if (dash >= 6 && words.Length > dash + 2)
                mounts.Add(new HostMount(words[2], words[4], words[dash + 1], words[dash + 2]));
        }
        return mounts;
    }
}
