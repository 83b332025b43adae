using Hatchway.Configuration;
using Hatchway.Machine.Memory;

namespace Hatchway.CommandLine;

/// <summary>A guest's RAM: its size, and how the host provides it.</summary>
/// <param name="Bytes">The size.</param>
/// <param name="Locked">True when it is never swapped out.</param>
/// <param name="InCore">True when this process's core dumps include it.</param>
/// <param name="HugePageBytes">The size of its huge pages from the host's pool; 0 for none.</param>
/// <param name="Prefault">True when all of it is allocated before the guest starts.</param>
internal sealed record MemoryOptions(ulong Bytes, bool Locked, bool InCore, ulong HugePageBytes, bool Prefault)
{
    private const ulong LeastMemory = 32 << 20;

    /// <summary>Reads <c>-m</c> and the related variables.</summary>
    /// <exception cref="UserException">A value is wrong, or they do not fit together.</exception>
    public static MemoryOptions From(ConfigurationTree tree)
    {
        var root = tree.Root;
        var origin = root.Origin("memory.size");
        var bytes = MemorySize.Parse(origin, root.Text("memory.size")!);
        if (bytes == 0)
            throw new UserException($"{origin}: a guest without memory can't start; give at least 32M");
        if (bytes < LeastMemory || bytes % MemoryLayout.PageSize != 0)
            throw new UserException($"{origin}: give at least 32M, in whole pages of 4 KiB");
        var huge = HugePages(root);
        if (huge != 0 && bytes % huge != 0)
        {
            throw new UserException(
                $"{origin}: {MemorySize.Format(bytes)} are no whole number of huge pages of {MemorySize.Format(huge)}: give a multiple");
        }
        return new(
            bytes, root.Flag("memory.wired", false), root.Flag("memory.guest_in_core", false), huge, root.Flag("memory.prefault", false));
    }

    // x86 has these two sizes.
    private static ulong HugePages(ConfigurationNode root) => root.Text("memory.hugepages")?.ToUpperInvariant() switch
    {
        null or "NO" => 0,
        "2M" => 2 << 20,
        "1G" => 1 << 30,
        _ => throw new UserException($"{root.Origin("memory.hugepages")}: there are huge pages of 2M and of 1G: write one of them, or no"),
    };
}
