using System.Globalization;
using Hatchway.Configuration;
using Hatchway.Linux;

namespace Hatchway.CommandLine;

/// <summary>The host CPUs on which a vCPU may run: <c>vcpu.N.cpuset</c>, a list as <c>0-3,5</c>.</summary>
internal static class CpuPins
{
    /// <summary>Reads the host CPUs of each pinned vCPU, by its number.</summary>
    /// <exception cref="UserException">A list is malformed.</exception>
    public static IReadOnlyDictionary<int, IReadOnlyList<int>> From(ConfigurationTree tree)
    {
        var pins = new SortedDictionary<int, IReadOnlyList<int>>();
        foreach (var vcpu in tree.Node("vcpu").Children)
        {
            if (int.TryParse(vcpu.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && vcpu.Text("cpuset") is { } list)
                pins[number] = Parse(vcpu.Origin("cpuset"), list);
        }
        return pins;
    }

    private static List<int> Parse(string origin, string list)
    {
        var cpus = new SortedSet<int>();
        foreach (var part in list.Split(','))
        {
            var ends = part.Split('-');
            if (ends.Length > 2
                || !ConfigurationNode.TryNumber(ends[0], out var first)
                || !ConfigurationNode.TryNumber(ends[^1], out var last)
                || first > last || last >= CpuAffinity.MostCpus)
            {
                throw new UserException(
                    $"{origin}: '{part}' names no CPUs of a host: write numbers and ranges with commas between them, as 0-3,5");
            }
            for (var cpu = first; cpu <= last; cpu++)
                cpus.Add(cpu);
        }
        return [.. cpus];
    }
}
