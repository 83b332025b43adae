using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Terminal;

namespace Hatchway.Vm;

/// <summary>Allocates RAM before the guest starts, on all of this process's CPUs, since the kernel clears each page.</summary>
internal static class RamPrefault
{
    private const ulong Chunk = 256 << 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>True when this is faster than letting VFIO or mlock allocate the pages: when there is a part for more than one
    /// CPU.</summary>
    public static bool IsQuicker(MemoryMapping memory) => memory.Length > Chunk;

    /// <summary>Allocates all of it. After a second, a progress bar appears on the terminal.</summary>
    /// <exception cref="UserException">The host has no more memory.</exception>
    public static void Run(MemoryMapping memory)
    {
        var (done, chunks) = (0, (int)((memory.Length + Chunk - 1) / Chunk));
        var options = new ParallelOptions { MaxDegreeOfParallelism = CpuAffinity.Current.Count };
        var work = Task.Run(() => Parallel.For(0, chunks, options, chunk =>
        {
            var start = (ulong)chunk * Chunk;
            memory.Populate(start, Math.Min(Chunk, memory.Length - start));
            Interlocked.Increment(ref done);
        }));
        try
        {
            if (!work.Wait(Patience) && !Console.IsErrorRedirected)
                ProgressBar.Show($"taking {MemorySize.Format(memory.Length)} of RAM", work, () => (double)Volatile.Read(ref done) / chunks);
            work.Wait();
        }
        catch (AggregateException failure) when (failure.Flatten().InnerException is LinuxException cause)
        {
            throw new UserException($"-m: the host can't give all of {MemorySize.Format(memory.Length)}: {cause.Message}: give less");
        }
    }
}
