using Hatchway.Linux;

namespace Hatchway.Terminal;

/// <summary>A cell's emphasis where there are colours.</summary>
internal enum Tone
{
    Plain,
    Good,
    Notable,
    Bad,
}

/// <summary>A table's cell.</summary>
internal readonly record struct Cell(string Text, Tone Tone = Tone.Plain)
{
    public static implicit operator Cell(string text) => new(text);
}

/// <summary>A table for people: drawn on a terminal, in plain uncut columns elsewhere.</summary>
/// <param name="Heads">The columns' titles.</param>
/// <param name="Cut">The column, not the last one, whose text is cut on a narrow terminal, or null for none; the last one wraps, the
/// others keep their width.</param>
/// <param name="Spare">Columns that a still narrower terminal leaves out, in this order.</param>
internal sealed record Table(IReadOnlyList<string> Heads, int? Cut, params IReadOnlyList<int> Spare)
{
    private const int Gap = 2;
    private readonly List<Cell[]> _rows = [];

    public IReadOnlyList<Cell[]> Rows => _rows;

    public void Add(params Cell[] cells) => _rows.Add(cells);

    public void Write()
    {
        if (FileDescriptor.StandardOutput.IsTerminal)
            TerminalTable.Write(this);
        else
            WritePlain(Console.Out);
    }

    /// <summary>Writes plain columns. Further lines of a cell continue below, in its column.</summary>
    internal void WritePlain(TextWriter output)
    {
        var lines = new List<string[]> { Heads.ToArray() };
        foreach (var row in _rows)
        {
            var cells = Array.ConvertAll(row, static cell => cell.Text.Split('\n'));
            for (var i = 0; i < cells.Max(static cell => cell.Length); i++)
                lines.Add(Array.ConvertAll(cells, cell => i < cell.Length ? cell[i] : ""));
        }
        var widths = Enumerable.Range(0, Heads.Count).Select(column => lines.Max(line => line[column].Length)).ToArray();
        foreach (var line in lines)
            output.WriteLine(string.Concat(line.Select((text, column) => text.PadRight(widths[column] + Gap))).TrimEnd());
    }
}
