using System.Globalization;
using System.Text;

namespace Hatchway.Bench.Comparison;

/// <summary>Writes the measurements into a page, between two marks, and into a table for gnuplot.</summary>
internal static class Report
{
    private const string Begin = "<!-- measured: begin -->\n";
    private const string End = "<!-- measured: end -->\n";

    /// <summary>The table of ratios, in Markdown.</summary>
    public static string Table(Samples samples)
    {
        var text = new StringBuilder("| figure | 1 is | Hatchway | QEMU | goal | | rounds |\n|---|---|---|---|---|---|---|\n");
        foreach (var figure in Measured(samples))
        {
            var ours = samples.Ratio(figure.Ours, figure.With);
            var theirs = figure.Theirs is { } name ? Show(samples.Ratio(name, figure.With)) : figure.IsBesideQemu ? "1" : "";
            var goal = figure.Goal is { } most ? string.Create(CultureInfo.InvariantCulture, $"≤ {most:0.##}") : "";
            var met = figure.Goal is null ? ""
                : ours.UpperQuartile <= figure.Goal ? "met"
                : ours.LowerQuartile > figure.Goal ? "**not met**"
                : "open";
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {figure.Title} | {figure.One} | {Show(ours)} | {theirs} | {goal} | {met} | {ours.Count} |\n");
        }
        var counted = Figure.Exits.Where(one => samples.Has([$"{one.Name}/hatchway", $"{one.Name}/qemu"])).ToList();
        if (counted.Count > 0)
            text.Append("\n| exits to the monitor, for one | Hatchway | QEMU |\n|---|---|---|\n");
        foreach (var (title, name) in counted)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {title} | {Count(samples, $"{name}/hatchway")} | {Count(samples, $"{name}/qemu")} |\n");
        }
        var scaled = Figure.Scaled.Where(one => samples.Has(Figure.Scales.Select(scale => $"{one.Name}/{scale.Name}"))).ToList();
        if (scaled.Count > 0)
        {
            var titles = string.Join(" | ", Figure.Scales.Select(static scale => scale.Title));
            text.Append(CultureInfo.InvariantCulture, $"\n| instructions of one, native code | {titles} |\n")
                .Append(CultureInfo.InvariantCulture, $"|---|{string.Concat(Enumerable.Repeat("---|", Figure.Scales.Length))}\n");
        }
        foreach (var (title, name, one) in scaled)
        {
            var cells = Figure.Scales
                .Select(scale => (samples.Of($"{name}/{scale.Name}").Median / one).ToString("F0", CultureInfo.InvariantCulture));
            text.Append(CultureInfo.InvariantCulture, $"| {title} | {string.Join(" | ", cells)} |\n");
        }
        return text.ToString();
    }

    /// <summary>The figures that are compared with QEMU, for gnuplot: title, median and quartiles.</summary>
    public static string PlotTable(Samples samples)
    {
        var text = new StringBuilder();
        foreach (var figure in Measured(samples).Where(static figure => figure.IsBesideQemu))
        {
            var ratio = samples.Ratio(figure.Ours, figure.Theirs is { } theirs ? [theirs] : figure.With);
            var other = figure.Theirs is null && figure.One != "QEMU" ? $" / {figure.One}" : "";
            text.Append(
                CultureInfo.InvariantCulture,
                $"\"{figure.Title}{other}\"\t{ratio.Median:F4}\t{ratio.LowerQuartile:F4}\t{ratio.UpperQuartile:F4}\n");
        }
        return text.ToString();
    }

    /// <summary>Replaces the text between a page's marks.</summary>
    public static string Insert(string page, string measured)
    {
        var from = page.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        var to = page.IndexOf(End, StringComparison.Ordinal);
        return page[..from] + "\n" + measured + "\n" + page[to..];
    }

    private static IEnumerable<Figure> Measured(Samples samples) => Figure.All.Where(figure => samples.Has(figure.Series));

    private static string Show(Spread spread) =>
        string.Create(CultureInfo.InvariantCulture, $"{spread.Median:F2} ({spread.LowerQuartile:F2} to {spread.UpperQuartile:F2})");

    // Subtracting the console's exits, which are an estimate, can give a negative number.
    private static string Count(Samples samples, string name) =>
        Math.Max(samples.Of(name).Median, 0).ToString("F1", CultureInfo.InvariantCulture);
}
