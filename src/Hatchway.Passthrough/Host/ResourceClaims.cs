using System.Globalization;
using Hatchway.Linux;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>Finds who has claimed a part of a BAR, by the lines indented below it in /proc/iomem or /proc/ioports (proc(5)).</summary>
internal static class ResourceClaims
{
    /// <summary>Gives the name of the first claim, or null.</summary>
    /// <param name="text">The file's text; a user who is not root sees zeros for all addresses.</param>
    /// <param name="address">The function.</param>
    /// <param name="resource">Its BAR.</param>
    public static string? Owner(string text, PciAddress address, PciResource resource)
    {
        var name = address.ToString();
        int? found = null;
        foreach (var line in text.Split('\n'))
        {
            var indent = line.Length - line.AsSpan().TrimStart(' ').Length;
            if (found is { } above)
            {
                if (indent <= above)
                    return null;
                return line[(line.IndexOf(" : ", StringComparison.Ordinal) + 3)..];
            }
            if (TryParse(line.AsSpan(indent), out var start, out var last, out var owner)
                && owner.SequenceEqual(name) && start == resource.Start && last == resource.Last)
                found = indent;
        }
        return null;
    }

    private static bool TryParse(ReadOnlySpan<char> line, out ulong start, out ulong last, out ReadOnlySpan<char> owner)
    {
        start = last = 0;
        owner = default;
        var dash = line.IndexOf('-');
        var colon = line.IndexOf(" : ", StringComparison.Ordinal);
        if (dash < 0 || colon < dash)
            return false;
        owner = line[(colon + 3)..];
        return ulong.TryParse(line[..dash], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out start)
            && ulong.TryParse(line[(dash + 1)..colon], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out last);
    }
}
