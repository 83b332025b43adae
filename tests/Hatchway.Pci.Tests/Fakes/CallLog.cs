namespace Hatchway.Pci.Tests.Fakes;

/// <summary>The calls that reached the host and the machine, in order, one line each.</summary>
internal sealed class CallLog
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines => _lines;

    public void Add(string line) => _lines.Add(line);

    public void Clear() => _lines.Clear();

    /// <summary>The lines that begin with one of the prefixes, in order.</summary>
    public IReadOnlyList<string> Of(params string[] prefixes) =>
        [.. _lines.Where(line => prefixes.Any(prefix => line.StartsWith(prefix, StringComparison.Ordinal)))];
}
