namespace Hatchway.Pci.Topology;

/// <summary>The free ranges of a window. Each piece is placed at the lowest address where it fits.</summary>
/// <remarks>
/// The gap that alignment leaves before a piece stays free for later ones, so placing the largest pieces first wastes no space that a
/// smaller one could use.
/// </remarks>
internal sealed class FreeSpace
{
    private readonly List<(ulong Start, ulong End)> _free = [];

    /// <param name="window">The window, free at first.</param>
    public FreeSpace(BridgeWindow window)
    {
        if (window.Length > 0)
            _free.Add((window.Start, window.End));
    }

    /// <summary>Takes a piece.</summary>
    /// <param name="size">Bytes, a power of two; also the piece's alignment.</param>
    /// <returns>Its first address, or null when there is no room.</returns>
    public ulong? Take(ulong size)
    {
        for (var i = 0; i < _free.Count; i++)
        {
            var (from, to) = _free[i];
            var start = (from + size - 1) & ~(size - 1);
            if (start < from || start >= to || size > to - start)
                continue;
            _free.RemoveAt(i);
            if (start + size < to)
                _free.Insert(i, (start + size, to));
            if (from < start)
                _free.Insert(i, (from, start));
            return start;
        }
        return null;
    }
}
