using System.Globalization;
using System.Numerics;
using Hatchway.Configuration;

namespace Hatchway.CommandLine;

/// <summary>The settings of a <c>virtio-blk</c>: a path, bhyve(8)'s options for block devices, and two of our own.</summary>
/// <param name="Path">A file or block device.</param>
/// <param name="ReadOnly">True when nothing is written.</param>
/// <param name="NoCache">Bypasses the host's page cache (O_DIRECT).</param>
/// <param name="Direct">A write completes only once it is on the storage (O_SYNC).</param>
/// <param name="Shared">Others may write it meanwhile.</param>
/// <param name="NoDelete">The guest can't discard ranges.</param>
/// <param name="LogicalBlock">Bytes of a logical block, or null for the storage's own.</param>
/// <param name="PhysicalBlock">Bytes of a physical block, or null for the storage's own.</param>
/// <param name="Serial">The serial number that the guest reads, or null.</param>
/// <param name="Threads">The number of requests executed at once.</param>
internal sealed record VirtioBlockOptions(
    string Path,
    bool ReadOnly,
    bool NoCache,
    bool Direct,
    bool Shared,
    bool NoDelete,
    uint? LogicalBlock,
    uint? PhysicalBlock,
    string? Serial,
    int Threads)
{
    private const int MostThreads = 16;
    private const int DefaultThreads = 4;
    private const int SerialLength = 20;

    /// <summary>Reads the settings. It checks that the file exists, but does not open it.</summary>
    /// <exception cref="UserException">A setting is wrong.</exception>
    public static VirtioBlockOptions From(ConfigurationNode node)
    {
        var path = node.Text("path")
            ?? throw new UserException($"{node.Origin()}: which file? Write virtio-blk,disk.img or virtio-blk,/dev/sdb");
        if (!File.Exists(path))
            throw new UserException($"{node.Origin("path")}: '{path}': {WhyNot(path)}");
        var serial = node.Text("ser");
        if (serial is { Length: 0 or > SerialLength })
            throw new UserException($"{node.Origin("ser")}: '{serial}': a serial has 1 to {SerialLength} characters");
        var (logical, physical) = SectorSize(node);
        return new VirtioBlockOptions(
            path,
            node.Flag("ro", false),
            node.Flag("nocache", false),
            node.Flag("direct", false) || node.Flag("sync", false),
            node.Flag("shared", false),
            node.Flag("nodelete", false),
            logical,
            physical,
            serial,
            node.Number("threads", 1, MostThreads) ?? DefaultThreads);
    }

    private static string WhyNot(string path) =>
        Directory.Exists(path) ? "that is a directory, and a disk is a file or a block device"
        : path.StartsWith("/dev/", StringComparison.Ordinal) ? "no such device: 'lsblk -p' lists the host's disks"
        : $"no such file: 'truncate -s 10G {path}' makes an empty disk";

    private static (uint? Logical, uint? Physical) SectorSize(ConfigurationNode node)
    {
        if (node.Text("sectorsize") is not { } text)
            return (null, null);
        var sizes = text.Split('/');
        if (sizes.Length > 2 || !TrySize(sizes[0], out var logical) || !TrySize(sizes[^1], out var physical) || physical < logical)
        {
            throw new UserException(
                $"{node.Origin("sectorsize")}: '{text}': write LOGICAL[/PHYSICAL], powers of two from 512 to 65536, as 512/4096");
        }
        return (logical, physical);
    }

    private static bool TrySize(string text, out uint size) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out size)
        && BitOperations.IsPow2(size) && size is >= 512 and <= 65536;
}
