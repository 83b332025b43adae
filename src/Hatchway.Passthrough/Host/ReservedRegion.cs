namespace Hatchway.Passthrough.Host;

/// <summary>A range of addresses that is reserved in a group's IOMMU (Linux Documentation/ABI/testing/sysfs-kernel-iommu_groups).</summary>
/// <param name="Start">First address, in hexadecimal.</param>
/// <param name="Last">Last address, in hexadecimal.</param>
/// <param name="Kind"><c>direct</c>, <c>direct-relaxable</c>, <c>reserved</c> or <c>msi</c>.</param>
public readonly record struct ReservedRegion(string Start, string Last, string Kind)
{
    /// <summary>Lists those of a group, in the kernel's order.</summary>
    public static IReadOnlyList<ReservedRegion> Of(HostView view, int group)
    {
        ArgumentNullException.ThrowIfNull(view);
        var regions = new List<ReservedRegion>();
        foreach (var line in (view.Sysfs.TryReadText($"kernel/iommu_groups/{group}/reserved_regions") ?? "").Split('\n'))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var start, var last, var kind])
                regions.Add(new ReservedRegion(Short(start), Short(last), kind));
        }
        return regions;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Start}-{Last} {Kind}";

    private static string Short(string number) => number.StartsWith("0x", StringComparison.Ordinal)
        ? number[2..].TrimStart('0').PadLeft(1, '0')
        : number;
}
