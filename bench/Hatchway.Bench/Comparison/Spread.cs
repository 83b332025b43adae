namespace Hatchway.Bench.Comparison;

/// <summary>The median of many values, and the quartiles around it.</summary>
internal sealed class Spread
{
    private readonly double[] _sorted;

    public Spread(IEnumerable<double> values) => _sorted = [.. values.Order()];

    public double Median => At(0.5);

    public double LowerQuartile => At(0.25);

    public double UpperQuartile => At(0.75);

    public int Count => _sorted.Length;

    private double At(double part)
    {
        var place = part * (_sorted.Length - 1);
        var below = (int)place;
        var above = Math.Min(below + 1, _sorted.Length - 1);
        return _sorted[below] + (place - below) * (_sorted[above] - _sorted[below]);
    }
}
