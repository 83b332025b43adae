using System.Globalization;

namespace Hatchway.Bench.Comparison;

/// <summary>The output of bench/compare/host.sh: for each figure and contender its values, one for each round,
/// in the order of the rounds.</summary>
internal sealed class Samples
{
    private readonly Dictionary<string, List<double>> _series = [];

    /// <param name="lines">Lines with a figure, a contender and a value, separated by tabs.</param>
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

    /// <summary>True when all of these were measured.</summary>
    /// <param name="names">Each a figure and a contender, with a slash between them.</param>
    public bool Has(IEnumerable<string> names) => names.All(_series.ContainsKey);

    /// <summary>Divides one series by the sum of others, round by round, so that the machine's pace in a round affects both
    /// alike.</summary>
    /// <param name="name">The series.</param>
    /// <param name="with">The series that it is compared with.</param>
    public Spread Ratio(string name, IReadOnlyList<string> with) =>
        // A run that reached its time limit may have an incomplete last round.
        new(_series[name].Take(with.Min(one => _series[one].Count)).Select((value, round) => value / with.Sum(one => _series[one][round])));

    /// <summary>The values themselves.</summary>
    public Spread Of(string name) => new(_series[name]);
}
