using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>The CPUs of this host on which the calling thread may run (sched_setaffinity(2)).</summary>
public static unsafe class CpuAffinity
{
    /// <summary>The bound of CPU numbers: all are below it, as with the C library's CPU_SETSIZE and FreeBSD's.</summary>
    public const int MostCpus = 1024;

    private const int Words = MostCpus / 64;

    /// <summary>The CPUs on which the calling thread may run, in ascending order.</summary>
    /// <exception cref="LinuxException">The host has more than <see cref="MostCpus"/> CPUs.</exception>
    public static IReadOnlyList<int> Current
    {
        get
        {
            var mask = stackalloc ulong[Words];
            new Span<ulong>(mask, Words).Clear();
            // SAFETY: the mask is on the stack, and the kernel is told its size. Thread 0 is the calling one.
            LinuxException.Check(Libc.sched_getaffinity(0, Words * sizeof(ulong), mask), "sched_getaffinity");
            var cpus = new List<int>();
            for (var cpu = 0; cpu < MostCpus; cpu++)
            {
                if ((mask[cpu / 64] & (1ul << (cpu % 64))) != 0)
                    cpus.Add(cpu);
            }
            return cpus;
        }
    }

    /// <summary>Restricts the calling thread to these CPUs.</summary>
    /// <param name="cpus">At least one that the host has, each below <see cref="MostCpus"/>.</param>
    /// <exception cref="LinuxException">The host has none of them, or forbids all that it has.</exception>
    public static void Limit(IReadOnlyList<int> cpus)
    {
        ArgumentNullException.ThrowIfNull(cpus);
        var mask = stackalloc ulong[Words];
        new Span<ulong>(mask, Words).Clear();
        foreach (var cpu in cpus)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)cpu, (uint)MostCpus, nameof(cpus));
            mask[cpu / 64] |= 1ul << (cpu % 64);
        }
        // SAFETY: as above.
        LinuxException.Check(Libc.sched_setaffinity(0, Words * sizeof(ulong), mask), "sched_setaffinity");
    }
}
