using Spectre.Console;

namespace Hatchway.Terminal;

/// <summary>A table on a terminal. Apart from <see cref="Table"/>, so that nothing else loads the library that draws it.</summary>
internal static class TerminalTable
{
    public static void Write(Table table)
    {
        var drawn = new Spectre.Console.Table().Border(TableBorder.Simple).Expand();
        for (var i = 0; i < table.Heads.Count; i++)
        {
            var column = new TableColumn(new Text(table.Heads[i], new Style(decoration: Decoration.Bold)));
            drawn.AddColumn(i == table.Cut ? column.NoWrap() : column);
        }
        foreach (var row in table.Rows)
        {
            drawn.AddRow(row.Select((cell, i) =>
                new Text(cell.Text, StyleOf(cell.Tone)) { Overflow = i == table.Cut ? Overflow.Ellipsis : Overflow.Fold }));
        }
        AnsiConsole.Write(drawn);
    }

    private static Style StyleOf(Tone tone) => tone switch
    {
        Tone.Good => new Style(Color.Green),
        Tone.Notable => new Style(Color.Yellow),
        Tone.Bad => new Style(Color.Red),
        _ => Style.Plain,
    };
}
