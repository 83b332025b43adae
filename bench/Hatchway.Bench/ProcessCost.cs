using System.Diagnostics;
using System.Globalization;
using Hatchway.Bench.Comparison;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Bench;

/// <summary>The costs of several builds of the program, measured alternately: of starting, of staying, and of an exit.</summary>
internal static class ProcessCost
{
    private const int Rounds = 15;
    private const int WarmUpExits = 50_000;
    private const int Exits = 50_000;

    private static readonly string[] s_figures =
    [
        "--version, ms", "host list, ms", "to the guest's first byte, ms", "an exit for com1's scratch register, us",
        "memory beyond guest RAM, MiB",
    ];

    /// <summary>Measures and prints the results.</summary>
    /// <returns>0.</returns>
    public static int Run(ReadOnlySpan<string> programs)
    {
        var series = new List<double>[programs.Length, s_figures.Length];
        for (var i = 0; i < series.Length; i++)
            series[i / s_figures.Length, i % s_figures.Length] = [];
        // The first round loads the programs into the page cache and is not counted.
        for (var round = 0; round <= Rounds; round++)
        {
            for (var program = 0; program < programs.Length; program++)
            {
                var figures = Measure(programs[program]);
                for (var figure = 0; round > 0 && figure < figures.Length; figure++)
                    series[program, figure].Add(figures[figure]);
            }
        }
        Console.WriteLine(
            $"{Rounds} rounds in turns; median (lowest to highest), and the median of the rounds' ratios to the first program");
        for (var figure = 0; figure < s_figures.Length; figure++)
        {
            Console.WriteLine(s_figures[figure]);
            for (var program = 0; program < programs.Length; program++)
                Print(programs[program], series[program, figure], series[0, figure]);
        }
        return 0;
    }

    private static void Print(string program, List<double> values, List<double> first)
    {
        var median = new Spread(values).Median;
        var ratio = new Spread(values.Zip(first, static (a, b) => a / b)).Median;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"  {program,-32} {median,8:F1} ({values.Min():F1} to {values.Max():F1})   {ratio:F2}"));
    }

    private static double[] Measure(string program)
    {
        var version = Time(program, "--version");
        var list = Time(program, "host", "list");
        using var guest = new GuestProcess(program, "bench", Guest);
        guest.Read();
        var first = Stopwatch.GetElapsedTime(guest.Started);
        guest.Read();
        var began = Stopwatch.GetTimestamp();
        guest.Read();
        var exits = Stopwatch.GetElapsedTime(began);
        return [version, list, first.TotalMilliseconds, exits.TotalMicroseconds / Exits, guest.Memory() / 1048576.0];
    }

    private static double Time(string program, params string[] words)
    {
        var began = Stopwatch.GetTimestamp();
        using var process = Process.Start(new ProcessStartInfo(program, words) { RedirectStandardOutput = true })!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
    }

    // Reports a byte; reads until the loop is fully compiled, and reports; reads as often as is measured, and reports; then idles.
    private static void Guest(Assembler a)
    {
        Report(a);
        ReadScratch(a, WarmUpExits);
        Report(a);
        ReadScratch(a, Exits);
        Report(a);
        a.cli();
        a.hlt();
    }

    private static void Report(Assembler a)
    {
        a.mov(dx, unchecked((short)GuestProcess.Com1));
        a.@out(dx, al);
    }

    private static void ReadScratch(Assembler a, int times)
    {
        var again = a.CreateLabel();
        a.mov(ecx, times);
        a.mov(dx, unchecked((short)GuestProcess.Scratch));
        a.Label(ref again);
        a.@in(al, dx);
        a.dec(ecx);
        a.jnz(again);
    }
}
