using Hatchway.Configuration;
using Hatchway.Machine.Memory;

namespace Hatchway.CommandLine;

/// <summary>A guest's RAM: how much, and what it is made of.</summary>
/// <param name="Bytes">How much.</param>
/// <param name="Locked">It is never swapped out.</param>
/// <param name="InCore">It is in a core file of this process's.</param>
/// <param name="HugePageBytes">The size of the host's huge pages that it is on; 0 when it is on none of the pool's.</param>
/// <param name="Prefault">All of it is taken from the host before the guest starts.</param>
internal sealed record MemoryOptions(ulong Bytes, bool Locked, bool InCore, ulong HugePageBytes, bool Prefault)
{
    private const ulong LeastMemory = 32 << 20;

    /// <summary>Reads <c>-m</c> and the variables around it.</summary>
    /// <exception cref="UserException">A value is wrong, or they do not fit.</exception>
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

    // The two sizes that an x86 processor has.
    private static ulong HugePages(ConfigurationNode root) => root.Text("memory.hugepages")?.ToUpperInvariant() switch
    {
        null or "NO" => 0,
        "2M" => 2 << 20,
        "1G" => 1 << 30,
        _ => throw new UserException($"{root.Origin("memory.hugepages")}: there are huge pages of 2M and of 1G: write one of them, or no"),
    };
}
