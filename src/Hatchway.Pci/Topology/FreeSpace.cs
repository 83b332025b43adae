namespace Hatchway.Pci.Topology;

/// <summary>What is free of a window: each piece goes to the lowest place that it fits.</summary>
/// <remarks>
/// Largest pieces first, aligned to their sizes, waste nothing that a later one could use: what lies before a place is kept for the
/// smaller ones.
/// </remarks>
internal sealed class FreeSpace
{
    private readonly List<(ulong Start, ulong End)> _free = [];

    /// <param name="window">All of it is free at first.</param>
    public FreeSpace(BridgeWindow window)
    {
        if (window.Length > 0)
            _free.Add((window.Start, window.End));
    }

    /// <summary>Takes a piece.</summary>
    /// <param name="size">Bytes, a power of two, which is the piece's alignment, too.</param>
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
