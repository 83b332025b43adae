using System.Globalization;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>What an access past the page cache must be aligned to (open(2), O_DIRECT).</summary>
/// <param name="Memory">The address of each part, in bytes; 1 for any.</param>
/// <param name="Block">The offset, and the length of each part, in bytes; 1 for any.</param>
internal readonly record struct DirectAlignment(uint Memory, uint Block)
{
    // More than any storage asks for that says so.
    private const uint Page = 4096;
    private const uint Sector = 512;

    /// <summary>No demands: by the page cache.</summary>
    public static DirectAlignment None => new(1, 1);

    /// <summary>Asks for an open file's.</summary>
    /// <param name="fd">The file.</param>
    /// <param name="logicalBlock">Of a block device; null for a file.</param>
    public static unsafe DirectAlignment Of(int fd, uint? logicalBlock)
    {
        statx answer;
        // SAFETY: as large as the kernel's (tested). On failure it is not looked at.
        var isKnown = Libc.statx(fd, "", Libc.AT_EMPTY_PATH, Libc.STATX_DIOALIGN, &answer) == 0;
        if (isKnown && (answer.stx_mask & Libc.STATX_DIOALIGN) != 0)
        {
            // Zeroes say that the kernel goes by the page cache all the same.
            return new DirectAlignment(Math.Max(answer.stx_dio_mem_align, 1), Math.Max(answer.stx_dio_offset_align, 1));
        }
        // Linux before 6.1, and file systems that do not say: a device's logical block counts for offsets, and before 6.0 for memory, too.
        if (isKnown && logicalBlock is null)
            logicalBlock = BlockBelow(answer.stx_dev_major, answer.stx_dev_minor);
        if (logicalBlock is { } block)
            return new DirectAlignment(block, block);
        // No one device is below (btrfs, network, memory). Such take sectors of 512, if need be by the page cache, and a guest must find
        // its partitions where they were; memory that is aligned to a page costs a copy at most.
        return new DirectAlignment(Page, Sector);
    }

    /// <summary>True for parts that the storage takes as they are.</summary>
    public bool IsMetBy(ReadOnlySpan<HostRange> parts)
    {
        if (this == None)
            return true;
        foreach (ref readonly var part in parts)
        {
            if ((nuint)part.Address % Memory != 0 || part.Length % Block != 0)
                return false;
        }
        return true;
    }

    /// <summary>The logical block of a device, in bytes; null when no device has these numbers, as with a file system on several.</summary>
    internal static uint? BlockBelow(uint major, uint minor)
    {
        // A partition's folder is in its disk's, which has the queue.
        var device = $"/sys/dev/block/{major}:{minor}";
        var text = KernelFile.TryRead($"{device}/queue/logical_block_size") ?? KernelFile.TryRead($"{device}/../queue/logical_block_size");
        return uint.TryParse(text?.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var block) && block > 0 ? block : null;
    }
}
