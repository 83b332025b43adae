using Spectre.Console;

namespace Hatchway.Terminal;

/// <summary>Draws a table on a terminal. Apart from <see cref="Table"/>, so that nothing else loads the drawing library.</summary>
internal static class TerminalTable
{
    // The width that the library adds to each column.
    private const int Beside = 3;

    // The least widths of a cut column and of the last one.
    private const int LeastCut = 12;
    private const int LeastLast = 20;

    public static void Write(Table table) => Write(table, AnsiConsole.Console);

    internal static void Write(Table table, IAnsiConsole console)
    {
        var widths = table.Heads.Select((_, column) => Width(table, column)).ToArray();
        var columns = Enumerable.Range(0, widths.Length).ToList();
        var last = columns[^1];
        var leastCut = table.Cut is { } some ? Math.Min(widths[some], LeastCut) : 0;
        foreach (var spare in table.Spare)
        {
            if (Room() < leastCut + Math.Min(widths[last], LeastLast))
                columns.Remove(spare);
        }
        widths[last] = Math.Min(widths[last], Math.Max(Room() - leastCut, LeastLast));
        if (table.Cut is { } cut)
            widths[cut] = Math.Clamp(Room() - widths[last], 1, widths[cut]);

        var drawn = new Spectre.Console.Table().Border(TableBorder.Simple);
        foreach (var column in columns)
        {
            var head = new TableColumn(new Text(table.Heads[column], new Style(decoration: Decoration.Bold))).Width(widths[column]);
            drawn.AddColumn(column == last ? head : head.NoWrap());
        }
        foreach (var row in table.Rows)
        {
            drawn.AddRow(columns.Select(column =>
                new Text(column == last ? row[column].Text : Cut(row[column].Text, widths[column]), StyleOf(row[column].Tone))));
        }
        console.Write(drawn);

        // The width that the other columns leave for the cut one and the last one.
        int Room() => console.Profile.Width - 1 - (Beside * columns.Count)
            - columns.Where(column => column != table.Cut && column != last).Sum(column => widths[column]);
    }

    private static int Width(Table table, int column) => table.Rows
        .SelectMany(row => row[column].Text.Split('\n'))
        .Append(table.Heads[column])
        .Max(static line => line.Length);

    private static string Cut(string text, int width) => string.Join(
        '\n', text.Split('\n').Select(line => line.Length <= width ? line : $"{line.AsSpan(0, width - 1)}…"));

    private static Style StyleOf(Tone tone) => tone switch
    {
        Tone.Good => new Style(Color.Green),
        Tone.Notable => new Style(Color.Yellow),
        Tone.Bad => new Style(Color.Red),
        _ => Style.Plain,
    };
}
