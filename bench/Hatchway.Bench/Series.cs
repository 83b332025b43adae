using System.Diagnostics;
using System.Globalization;
using Hatchway.Bench.Comparison;

namespace Hatchway.Bench;

/// <summary>Something that is measured, round by round.</summary>
/// <param name="Name">What is printed.</param>
/// <param name="Each">How many in a round.</param>
/// <param name="Round">Does that many.</param>
internal sealed record Series(string Name, int Each, Action<int> Round)
{
    private const int WarmUpRounds = 3;

    private readonly List<double> _nanoseconds = [];

    /// <summary>Nanoseconds for one, the middle of all rounds.</summary>
    public double Median => new Spread(_nanoseconds).Median;

    /// <summary>Rounds of each that do not count: code is compiled, caches are filled.</summary>
    public static void WarmUp(params ReadOnlySpan<Series> all)
    {
        for (var round = 0; round < WarmUpRounds; round++)
        {
            foreach (var one in all)
                one.Round(one.Each);
        }
    }

    /// <summary>Measures each in turn, so that what else the machine does falls on all of them alike.</summary>
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
