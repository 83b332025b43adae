using System.Runtime.CompilerServices;
using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>A range of a BAR and who answers for it.</summary>
/// <param name="Bar">Which BAR.</param>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Name">For people: who it is.</param>
/// <param name="Handler">Who answers.</param>
public sealed record BarHandlerRange(BarIndex Bar, ulong Offset, ulong Length, string Name, IBarHandler Handler)
{
    /// <summary>The first byte after it.</summary>
    public ulong End => Offset + Length;
}

/// <summary>The one list of a function's register handlers: who owns which bytes of which BAR.</summary>
/// <remarks>
/// Filled before the guest runs, by one thread; read by all vCPUs without a lock. Per BAR the ranges are sorted and do not overlap, so a
/// look-up is a binary search. The MSI-X table and the pending bits are on it like any other.
/// </remarks>
public sealed class BarHandlerList
{
    private readonly BarHandlerRange[][] _ranges = [.. Enumerable.Repeat<BarHandlerRange[]>([], BarIndex.Count)];

    /// <summary>The ranges of one BAR, in rising order.</summary>
    public IReadOnlyList<BarHandlerRange> this[BarIndex bar] => _ranges[bar.Value];

    /// <summary>Gives a range of a BAR to a handler.</summary>
    /// <exception cref="HandlerException">
    /// There is no such BAR; the range is empty or wraps, or overlaps another's; the message names both.
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

    /// <summary>Finds who owns a byte, and how far that holds.</summary>
    /// <param name="bar">Which BAR.</param>
    /// <param name="offset">The byte.</param>
    /// <param name="until">The first byte after it that belongs to someone else; <see cref="ulong.MaxValue"/> when there is none.</param>
    /// <returns>The owner, or null: the host region.</returns>
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
