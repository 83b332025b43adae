using System.Diagnostics;
using System.Globalization;
using Hatchway.Bench.Comparison;

namespace Hatchway.Bench;

/// <summary>A series of measurements, made round by round.</summary>
/// <param name="Name">The name that is printed.</param>
/// <param name="Each">The number of operations in a round.</param>
/// <param name="Round">Executes that many operations.</param>
internal sealed record Series(string Name, int Each, Action<int> Round)
{
    private const int WarmUpRounds = 3;

    private readonly List<double> _nanoseconds = [];

    /// <summary>The median over all rounds, in nanoseconds for one operation.</summary>
    public double Median => new Spread(_nanoseconds).Median;

    /// <summary>Runs rounds of each that are not counted, to compile code and fill caches.</summary>
    public static void WarmUp(params ReadOnlySpan<Series> all)
    {
        for (var round = 0; round < WarmUpRounds; round++)
        {
            foreach (var one in all)
                one.Round(one.Each);
        }
    }

    /// <summary>Measures the series alternately, so that other work of the machine affects all of them alike.</summary>
    public static void Measure(int rounds, params ReadOnlySpan<Series> all)
    {
        for (var round = 0; round < rounds; round++)
        {
            foreach (var one in all)
                one._nanoseconds.Add(one.Time());
        }
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Name,-44} {Median,10:F1} ns   {_nanoseconds.Min(),10:F1} to {_nanoseconds.Max():F1}");

    private double Time()
    {
        var start = Stopwatch.GetTimestamp();
        Round(Each);
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Each;
    }
}
