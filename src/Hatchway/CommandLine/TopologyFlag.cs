using Hatchway.Configuration;
using Hatchway.Linux;

namespace Hatchway.CommandLine;

/// <summary>bhyve(8)'s <c>-c [[cpus=]numcpus][,sockets=n][,cores=n][,threads=n]</c> and <c>-p vcpu:hostcpu</c>.</summary>
internal static class TopologyFlag
{
    public static void Cpus(ConfigurationTree tree, string value, string origin)
    {
        if (value.Length == 0)
        {
            foreach (var name in (ReadOnlySpan<string>)["cpus", "sockets", "cores", "threads"])
                tree.Set(name, "1", origin);
            return;
        }
        foreach (var part in value.Split(','))
        {
            var (name, number) = LegacyConf.Pair(part);
            if (number is null)
                (name, number) = ("cpus", part);
            if (name is not ("cpus" or "sockets" or "cores" or "threads"))
            {
                throw new UserException(
                    $"{origin}: '{name}' is unknown: write [cpus=]N, sockets=N, cores=N and threads=N with commas between them");
            }
            tree.Set(name, number, origin);
        }
    }

    public static void Pin(ConfigurationTree tree, string value, string origin)
    {
        var numbers = value.Split(':');
        if (numbers.Length != 2
            || !ConfigurationNode.TryNumber(numbers[0], out var vcpu)
            || !ConfigurationNode.TryNumber(numbers[1], out var host))
            throw new UserException($"{origin}: write vcpu:hostcpu, two numbers that count from 0, as 0:2");
        if (host >= CpuAffinity.MostCpus)
            throw new UserException($"{origin}: {host} is no CPU of a host, which are numbered from 0 to {CpuAffinity.MostCpus - 1}");
        var name = $"vcpu.{vcpu}.cpuset";
        var before = tree.Find(name)?.Value;
        tree.Set(name, $"{(before is null ? "" : before + ",")}{host}", origin);
    }
}
