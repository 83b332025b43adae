using System.Globalization;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>The alignment that a file's accesses need, with or without O_DIRECT (open(2)).</summary>
/// <param name="Memory">Alignment of each part's address, in bytes; 1 for any.</param>
/// <param name="Block">Alignment of the offset and of each part's length, in bytes; 1 for any.</param>
internal readonly record struct DirectAlignment(uint Memory, uint Block)
{
    // At least what any storage that reports its alignment needs.
    private const uint Page = 4096;
    private const uint Sector = 512;

    /// <summary>No alignment, for accesses through the page cache.</summary>
    public static DirectAlignment None => new(1, 1);

    /// <summary>Finds the alignment of direct accesses to an open file.</summary>
    /// <param name="fd">The file.</param>
    /// <param name="logicalBlock">A block device's logical block in bytes; null for a file.</param>
    public static unsafe DirectAlignment Of(int fd, uint? logicalBlock)
    {
        statx answer;
        // SAFETY: the structure is as large as the kernel's (tested), and is not read on failure.
        var isKnown = Libc.statx(fd, "", Libc.AT_EMPTY_PATH, Libc.STATX_DIOALIGN, &answer) == 0;
        if (isKnown && (answer.stx_mask & Libc.STATX_DIOALIGN) != 0)
        {
            // Zeroes mean that the kernel uses the page cache nevertheless.
            return new DirectAlignment(Math.Max(answer.stx_dio_mem_align, 1), Math.Max(answer.stx_dio_offset_align, 1));
        }
        // Not reported, as before Linux 6.1: the device's logical block applies to offsets and, before 6.0, to memory, too.
        if (isKnown && logicalBlock is null)
            logicalBlock = BlockBelow(answer.stx_dev_major, answer.stx_dev_minor);
        if (logicalBlock is { } block)
            return new DirectAlignment(block, block);
        // The file is not on a single device (btrfs, network, memory). Such file systems accept sectors of 512 bytes, if need be through
        // the page cache, and larger ones would move the guest's partitions. Demanding page-aligned memory costs a copy at most.
        return new DirectAlignment(Page, Sector);
    }

    /// <summary>True when all parts of memory have this alignment.</summary>
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

    /// <summary>A device's logical block in bytes; null when no device has these numbers, as for a file system on several.</summary>
    internal static uint? BlockBelow(uint major, uint minor)
    {
        // A partition's folder is inside its disk's folder, which has the queue.
        var device = $"/sys/dev/block/{major}:{minor}";
        var text = KernelFile.TryRead($"{device}/queue/logical_block_size") ?? KernelFile.TryRead($"{device}/../queue/logical_block_size");
        return uint.TryParse(text?.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var block) && block > 0 ? block : null;
    }
}
