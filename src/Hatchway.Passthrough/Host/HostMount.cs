namespace Hatchway.Passthrough.Host;

/// <summary>A mounted file system: a line of mountinfo (proc(5)).</summary>
/// <param name="Device">Number of its device, as <c>259:2</c>; 0 before the colon where it has one of its own.</param>
/// <param name="Place">Where it is mounted.</param>
/// <param name="Kind">The file system's type.</param>
/// <param name="Source">What is mounted, as the file system says: a device file, or a name of its own.</param>
public sealed record HostMount(string Device, string Place, string Kind, string Source)
{
    /// <summary>Reads all lines; what is none is left out.</summary>
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
