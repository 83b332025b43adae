using System.Runtime.CompilerServices;
using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>A range of a BAR and its handler.</summary>
/// <param name="Bar">The BAR.</param>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Name">The handler's name, for people.</param>
/// <param name="Handler">Answers accesses to the range.</param>
public sealed record BarHandlerRange(BarIndex Bar, ulong Offset, ulong Length, string Name, IBarHandler Handler)
{
    /// <summary>The first byte after it.</summary>
    public ulong End => Offset + Length;
}

/// <summary>All register handlers of a function, with the ranges of BARs that they own.</summary>
/// <remarks>
/// One thread fills it before the guest runs; then all vCPU threads read it without a lock. The ranges of each BAR are sorted and do not
/// overlap, so a lookup is a binary search. The MSI-X table and pending bits are handlers like any other.
/// </remarks>
public sealed class BarHandlerList
{
    private readonly BarHandlerRange[][] _ranges = [.. Enumerable.Repeat<BarHandlerRange[]>([], BarIndex.Count)];

    /// <summary>The ranges of one BAR, in rising order.</summary>
    public IReadOnlyList<BarHandlerRange> this[BarIndex bar] => _ranges[bar.Value];

    /// <summary>Gives a range of a BAR to a handler.</summary>
    /// <exception cref="HandlerException">
    /// There is no such BAR, or the range is empty, wraps, or overlaps another handler's, which the message names.
    /// </exception>
    public void Add(BarHandlerRange range)
    {
        ArgumentNullException.ThrowIfNull(range);
        if (range.Bar.Value >= BarIndex.Count || range.Length == 0 || range.Offset + range.Length < range.Offset)
            throw new HandlerException($"{range.Name}: {range.Bar} {range.Offset:x}h, {range.Length} bytes, is no range");
        var ranges = _ranges[range.Bar.Value];
        foreach (var other in ranges)
        {
            if (range.Offset < other.End && other.Offset < range.End)
            {
                throw new HandlerException(
                    $"{range.Name} ({range.Bar} {range.Offset:x}h to {range.End - 1:x}h) overlaps "
                    + $"{other.Name} ({other.Offset:x}h to {other.End - 1:x}h)");
            }
        }
        BarHandlerRange[] grown = [.. ranges, range];
        Array.Sort(grown, static (a, b) => a.Offset.CompareTo(b.Offset));
        _ranges[range.Bar.Value] = grown;
    }

    /// <summary>Finds the owner of a byte, and where the owner changes next.</summary>
    /// <param name="bar">The BAR.</param>
    /// <param name="offset">The byte.</param>
    /// <param name="until">The next byte with another owner; <see cref="ulong.MaxValue"/> when there is none.</param>
    /// <returns>The handler's range, or null for the host region.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal BarHandlerRange? Find(BarIndex bar, ulong offset, out ulong until)
    {
        var ranges = _ranges[bar.Value];
        var low = 0;
        var high = ranges.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (ranges[middle].End <= offset)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == ranges.Length)
        {
            until = ulong.MaxValue;
            return null;
        }
        var next = ranges[low];
        if (next.Offset <= offset)
        {
            until = next.End;
            return next;
        }
        until = next.Offset;
        return null;
    }
}
