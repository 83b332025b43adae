using System.Globalization;
using Hatchway.Pci.Address;

namespace Hatchway.Bench;

/// <summary>Compares the cost of an exit in the program's loop with the lowest possible cost.</summary>
/// <remarks>BenchmarkDotNet does not fit: it measures methods, and decides itself how often to call them. This measures a thread that
/// stays in KVM, whose cost depends more on the machine than on the program; only alternating runs in one process compare two of
/// them.</remarks>
internal static class ExitCost
{
    // Many short rounds, because the machine's other work changes its pace within seconds.
    private const int Rounds = 51;
    private const int SideRounds = 11;
    private const int Exits = 20_000;
    private const int LookUps = 1_000_000;
    private const int DirectReads = 200_000;
    private const double Most = 1.15;

    /// <summary>Measures and prints the results.</summary>
    /// <returns>0, or 1 when the program's loop is too slow.</returns>
    public static int Run()
    {
        using var program = new ProgramLoop(GuestCode.ReadForEver());
        using var raw = new RawLoop(GuestCode.ReadForEver());
        using var direct = new DirectRead(DirectReads);
        var programLoop = new Series("exit, VcpuLoop and AddressSpace", Exits, program.Run);
        var rawLoop = new Series("exit, raw ioctl and a constant", Exits, raw.Run);
        var lookUp = new Series("look-up and answer alone, no exit", LookUps, LookUp);
        var mapped = new Series("register read, page in a memory slot", DirectReads, direct.Run);
        Series[] all = [programLoop, rawLoop, lookUp, mapped];

        Series.WarmUp(all);
        Series.Measure(Rounds, programLoop, rawLoop);
        Series.Measure(SideRounds, lookUp, mapped);

        var ratio = programLoop.Median / rawLoop.Median;
        Console.WriteLine($"{Rounds} rounds in turns, {Exits} exits each; median, and the spread of the rounds");
        foreach (var series in all)
            Console.WriteLine(series);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"ratio {ratio:F3}, at most {Most}; the loop adds {programLoop.Median - rawLoop.Median:F0} ns to an exit"));
        return ratio <= Most ? 0 : 1;

        void LookUp(int times)
        {
            var sum = 0ul;
            for (var i = 0; i < times; i++)
                sum += program.Memory.Read(GuestCode.DeviceAt + GuestCode.Register, AccessWidth.Dword);
            GC.KeepAlive(sum);
        }
    }
}
