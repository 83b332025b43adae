using System.Numerics;
using Hatchway.Configuration;

namespace Hatchway.CommandLine;

/// <summary>A guest's CPU topology. CPUs are numbered through the threads of a core first, then the cores of a socket,
/// then the sockets.</summary>
internal readonly record struct CpuTopology(int Sockets, int Cores, int Threads)
{
    /// <summary>The most CPUs that a guest can have: as many as an xAPIC has ids.</summary>
    public const int MostCpus = 255;

    /// <summary>The number of CPUs.</summary>
    public int Cpus => Sockets * Cores * Threads;

    /// <summary>The number of low bits of an APIC id that hold the thread.</summary>
    public int ThreadBits => Bits(Threads);

    /// <summary>The number of low bits of an APIC id below the socket: thread and core.</summary>
    public int SocketBits => ThreadBits + Bits(Cores);

    /// <summary>A CPU's local APIC id. Thread, core and socket have bits of their own, so ids have gaps where a count is no power of
    /// two (Intel SDM volume 3 §10.9.1).</summary>
    public uint ApicId(int cpu)
    {
        var (core, thread) = Math.DivRem(cpu, Threads);
        var (socket, coreInSocket) = Math.DivRem(core, Cores);
        return (uint)((socket << SocketBits) | (coreInSocket << ThreadBits) | thread);
    }

    private static int Bits(int count) => BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)count));

    /// <summary>
    /// Computes the topology as bhyve does (usr.sbin/bhyve/bhyverun.c): when the number of sockets is not given, it is the number of CPUs;
    /// and the product must equal the number of CPUs, if that is given.
    /// </summary>
    /// <exception cref="UserException">A number is malformed, or they do not fit together.</exception>
    public static CpuTopology From(ConfigurationTree tree)
    {
        var root = tree.Root;
        var cpus = Read(root, "cpus");
        var cores = Read(root, "cores") ?? 1;
        var threads = Read(root, "threads") ?? 1;
        var sockets = Read(root, "sockets") ?? cpus ?? 1;
        var product = (long)sockets * cores * threads;
        var said = root.Origin(cpus is not null ? "cpus" : cores > 1 ? "cores" : threads > 1 ? "threads" : "sockets");
        if (cpus is not null && cpus != product)
        {
            throw new UserException(
                $"{said}: {sockets} sockets of {cores} cores with {threads} threads are {product} CPUs, and not {cpus}: "
                + "give all that is not 1, as sockets=1");
        }
        if (product > MostCpus)
            throw new UserException($"{said}: {product} CPUs are too many: a number of CPUs from 1 to {MostCpus} is possible");
        var topology = new CpuTopology(sockets, cores, threads);
        if (topology.ApicId(topology.Cpus - 1) >= MostCpus)
        {
            throw new UserException(
                $"{said}: the CPUs' APIC ids would pass {MostCpus - 1}, "
                + $"since {cores} cores and {threads} threads are counted in whole bits: give fewer sockets");
        }
        return topology;
    }

    private static int? Read(ConfigurationNode root, string name)
    {
        if (root.Text(name) is not { } text)
            return null;
        if (ConfigurationNode.TryNumber(text, out var number) && number is >= 1 and <= MostCpus)
            return number;
        throw new UserException($"{root.Origin(name)}: '{text}' is no number of {name}: write a number of CPUs from 1 to {MostCpus}");
    }
}
