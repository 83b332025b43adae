using System.Globalization;
using System.Numerics;

namespace Hatchway.CommandLine;

/// <summary>A disk in software.</summary>
internal sealed record VirtioBlockSlot(VirtioBlockOptions Options) : SlotEmulation;

/// <summary>A source of random bytes in software.</summary>
internal sealed record VirtioEntropySlot(bool Packed) : SlotEmulation;

/// <summary>What follows <c>virtio-blk</c>: a path, and options as bhyve(8) has them for block devices, and two of our own.</summary>
/// <param name="Path">A file or block device.</param>
internal sealed record VirtioBlockOptions(string Path)
{
    private const int MostThreads = 16;

    /// <summary>Nothing is written.</summary>
    public bool ReadOnly { get; private set; }

    /// <summary>Past the host's page cache (O_DIRECT).</summary>
    public bool NoCache { get; private set; }

    /// <summary>A write ends when it is on the storage (O_SYNC).</summary>
    public bool Direct { get; private set; }

    /// <summary>The guest can't give ranges back.</summary>
    public bool NoDelete { get; private set; }

    /// <summary>Bytes of a logical block, or null for the storage's own.</summary>
    public uint? LogicalBlock { get; private set; }

    /// <summary>Bytes of a physical block, or null for the storage's own.</summary>
    public uint? PhysicalBlock { get; private set; }

    /// <summary>The name that the guest reads, or null for one made from the path.</summary>
    public string? Serial { get; private set; }

    /// <summary>Requests that are worked on at once.</summary>
    public int Threads { get; private set; } = 4;

    /// <summary>The packed layout is offered to the guest.</summary>
    public bool Packed { get; private set; }

    /// <param name="slot">The whole argument, for messages.</param>
    /// <param name="conf">What follows the emulation's name.</param>
    public static VirtioBlockOptions Parse(string slot, string conf)
    {
        var parts = conf.Split(',');
        if (parts[0].Length == 0)
            throw new UserException($"-s {slot}: which file? Write virtio-blk,disk.img or virtio-blk,/dev/sdb");
        if (!File.Exists(parts[0]))
            throw new UserException($"-s {slot}: '{parts[0]}': no such file: 'truncate -s 10G {parts[0]}' makes an empty disk");
        var options = new VirtioBlockOptions(parts[0]);
        foreach (var option in parts.AsSpan(1))
            options.Take(slot, option);
        return options;
    }

    /// <summary>The value of <c>ring=</c>.</summary>
    public static bool ParseRing(string slot, string option) => option switch
    {
        "ring=packed" => true,
        "ring=split" => false,
        _ => throw new UserException($"-s {slot}: '{option}': write ring=packed or ring=split"),
    };

    private void Take(string slot, string option)
    {
        var equals = option.IndexOf('=', StringComparison.Ordinal);
        var (key, value) = equals < 0 ? (option, null) : (option[..equals], option[(equals + 1)..]);
        switch (key)
        {
            case "ro" when value is null:
                ReadOnly = true;
                break;
            case "nocache" when value is null:
                NoCache = true;
                break;
            case "direct" or "sync" when value is null:
                Direct = true;
                break;
            case "nodelete" when value is null:
                NoDelete = true;
                break;
            case "sectorsize":
                TakeSectorSize(slot, option, value ?? "");
                break;
            case "ser" when value is { Length: > 0 and <= 20 }:
                Serial = value;
                break;
            case "ser":
                throw new UserException($"-s {slot}: '{option}': a serial has 1 to 20 characters");
            case "bootindex" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _):
                // For firmware, which a guest that starts from --kernel does not have.
                break;
            case "threads" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var threads)
                && threads is >= 1 and <= MostThreads:
                Threads = threads;
                break;
            case "threads":
                throw new UserException($"-s {slot}: '{option}': write a number from 1 to {MostThreads}");
            case "ring":
                Packed = ParseRing(slot, option);
                break;
            default:
                throw new UserException($"-s {slot}: unknown option '{option}' of virtio-blk: '-s help' lists them");
        }
    }

    private void TakeSectorSize(string slot, string option, string value)
    {
        var sizes = value.Split('/');
        if (sizes.Length > 2 || !TrySize(sizes[0], out var logical) || !TrySize(sizes[^1], out var physical) || physical < logical)
        {
            throw new UserException(
                $"-s {slot}: '{option}': write sectorsize=LOGICAL[/PHYSICAL], powers of two from 512 to 65536, as sectorsize=512/4096");
        }
        (LogicalBlock, PhysicalBlock) = (logical, physical);
    }

    private static bool TrySize(string text, out uint size) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out size)
        && BitOperations.IsPow2(size) && size is >= 512 and <= 65536;
}
