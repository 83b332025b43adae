using System.Globalization;

namespace Hatchway.Bench.Comparison;

/// <summary>What bench/compare/host.sh has written: for each figure and contender its values, one a round,
/// in the order of the rounds.</summary>
internal sealed class Samples
{
    private readonly Dictionary<string, List<double>> _series = [];

    /// <param name="lines">Lines of a figure, a contender and a value, with tabs between them.</param>
    public Samples(IEnumerable<string> lines)
    {
        foreach (var fields in lines.Select(static line => line.Split('\t')))
        {
            var name = $"{fields[0]}/{fields[1]}";
            if (!_series.TryGetValue(name, out var values))
                _series.Add(name, values = []);
            values.Add(double.Parse(fields[2], CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Whether all of these were measured.</summary>
    /// <param name="names">Each a figure and a contender, with a slash between them.</param>
    public bool Has(IEnumerable<string> names) => names.All(_series.ContainsKey);

    /// <summary>How one series compares with the sum of others, round by round: what the machine does in a round falls on both.</summary>
    /// <param name="name">What is compared.</param>
    /// <param name="with">What it is compared with.</param>
    public Spread Ratio(string name, IReadOnlyList<string> with) =>
        // A run that its time limit has ended may have an unfinished last round.
        new(_series[name].Take(with.Min(one => _series[one].Count)).Select((value, round) => value / with.Sum(one => _series[one][round])));

    /// <summary>The values themselves.</summary>
    public Spread Of(string name) => new(_series[name]);
}
