using System.Runtime.CompilerServices;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Memory;

/// <summary>The guest's physical memory, or its I/O ports: which target answers at which address.</summary>
/// <remarks>
/// Any thread may look addresses up; that takes no lock and allocates nothing. A change builds the whole table anew and publishes it
/// at once, so a look-up sees the space either before or after it. An access that began before <see cref="Unmap"/> returns may still be
/// inside the target after that.
/// </remarks>
public sealed class AddressSpace
{
    // Guards _mappings and the replacement of _segments. No target is called under it: a leaf.
    private readonly Lock _writer = new();

    // All mappings in order of precedence: by priority, then by age.
    private readonly List<Mapping> _mappings = [];

    // The mappings without overlaps, in ascending order. An array is never changed once it is published.
    private Segment[] _segments = [];
    private long _unclaimed;

    /// <summary>Makes an empty space.</summary>
    /// <param name="length">The number of addresses, from 0 on: 0x10000 for ports.</param>
    public AddressSpace(ulong length) => Length = length;

    /// <summary>The number of addresses.</summary>
    public ulong Length { get; }

    /// <summary>The number of accesses with at least one byte that no target answered.</summary>
    public long Unclaimed => Volatile.Read(ref _unclaimed);

    /// <summary>Maps a target at an address.</summary>
    /// <param name="start">The address of the target's offset 0.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="target">The target.</param>
    /// <param name="priority">Where targets overlap, the highest priority answers; among equals, the target that was mapped first.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is empty or passes the end of the space.</exception>
    /// <exception cref="InvalidOperationException">The target is mapped already.</exception>
    public void Map(ulong start, ulong length, IAddressTarget target, int priority = 0)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentOutOfRangeException.ThrowIfZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Length - length);
        lock (_writer)
        {
            if (IndexOf(target) >= 0)
                throw new InvalidOperationException($"the target at 0x{start:x} is mapped already");
            var place = _mappings.FindIndex(other => other.Priority < priority);
            _mappings.Insert(place < 0 ? _mappings.Count : place, new Mapping(start, start + length, target, priority));
            Volatile.Write(ref _segments, Flatten(_mappings));
        }
    }

    /// <summary>Removes a target; targets that it hid answer again.</summary>
    /// <returns>False when it was not mapped.</returns>
    public bool Unmap(IAddressTarget target)
    {
        lock (_writer)
        {
            var index = IndexOf(target);
            if (index < 0)
                return false;
            _mappings.RemoveAt(index);
            Volatile.Write(ref _segments, Flatten(_mappings));
            return true;
        }
    }

    /// <summary>Reads from the target at an address. Bytes without a target, or past the end of the space, are all ones.</summary>
    /// <param name="address">Any address, aligned or not. The space does not wrap.</param>
    /// <param name="width">1, 2, 4 or 8 bytes. An access across a target's edge is split there into naturally aligned ones.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Read(ulong address, AccessWidth width)
    {
        var segments = Volatile.Read(ref _segments);
        var index = Locate(segments, address, out var room);
        if (room < (ulong)width)
            return ReadInPieces(segments, address, width);
        if (index < 0)
        {
            Interlocked.Increment(ref _unclaimed);
            return width.AllOnes();
        }
        ref readonly var segment = ref segments[index];
        return segment.Target.Read(address - segment.TargetStart, width) & width.AllOnes();
    }

    /// <summary>Writes to the target at an address. Bytes without a target are dropped.</summary>
    /// <param name="address">Any address, aligned or not. The space does not wrap.</param>
    /// <param name="width">1, 2, 4 or 8 bytes. An access across a target's edge is split there into naturally aligned ones.</param>
    /// <param name="value">The value; only its low <paramref name="width"/> bytes are used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Write(ulong address, AccessWidth width, ulong value)
    {
        var segments = Volatile.Read(ref _segments);
        var index = Locate(segments, address, out var room);
        if (room < (ulong)width)
        {
            WriteInPieces(segments, address, width, value);
            return;
        }
        if (index < 0)
        {
            Interlocked.Increment(ref _unclaimed);
            return;
        }
        ref readonly var segment = ref segments[index];
        segment.Target.Write(address - segment.TargetStart, width, value & width.AllOnes());
    }

    private ulong ReadInPieces(Segment[] segments, ulong address, AccessWidth width)
    {
        var value = 0ul;
        var unclaimed = false;
        for (var done = 0; done < (int)width;)
        {
            var index = NextPiece(segments, address, done, width, out var piece);
            var part = piece.AllOnes();
            if (index >= 0)
                part &= segments[index].Target.Read(address + (uint)done - segments[index].TargetStart, piece);
            else
                unclaimed = true;
            value |= part << (8 * done);
            done += (int)piece;
        }
        if (unclaimed)
            Interlocked.Increment(ref _unclaimed);
        return value;
    }

    private void WriteInPieces(Segment[] segments, ulong address, AccessWidth width, ulong value)
    {
        var unclaimed = false;
        for (var done = 0; done < (int)width;)
        {
            var index = NextPiece(segments, address, done, width, out var piece);
            var part = (value >> (8 * done)) & piece.AllOnes();
            if (index >= 0)
                segments[index].Target.Write(address + (uint)done - segments[index].TargetStart, piece, part);
            else
                unclaimed = true;
            done += (int)piece;
        }
        if (unclaimed)
            Interlocked.Increment(ref _unclaimed);
    }

    // Finds the segment of the access's next bytes, or -1, and how many of them it takes at once.
    private static int NextPiece(Segment[] segments, ulong address, int done, AccessWidth width, out AccessWidth piece)
    {
        var at = address + (uint)done;
        var index = Locate(segments, at, out var room);
        piece = AccessWidthExtensions.WidestAligned(at, (int)Math.Min((ulong)((int)width - done), room));
        // An address past 2^64 has no target; it does not wrap to address 0.
        return at < address ? -1 : index;
    }

    // Finds the segment that holds an address, or -1, and how many bytes from the address on have the same answer.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Locate(Segment[] segments, ulong address, out ulong room)
    {
        var low = 0;
        var high = segments.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (segments[middle].End <= address)
                low = middle + 1;
            else
                high = middle;
        }
        // low is now the first segment that ends after the address.
        if (low == segments.Length)
        {
            room = ulong.MaxValue;
            return -1;
        }
        ref readonly var segment = ref segments[low];
        if (segment.Start > address)
        {
            room = segment.Start - address;
            return -1;
        }
        room = segment.End - address;
        return low;
    }

    private int IndexOf(IAddressTarget target) => _mappings.FindIndex(mapping => ReferenceEquals(mapping.Target, target));

    // Between two neighbouring edges the owner is constant: the first mapping, in order of precedence, that covers them.
    private static Segment[] Flatten(List<Mapping> mappings)
    {
        var edges = new List<ulong>(2 * mappings.Count);
        foreach (var mapping in mappings)
        {
            AddInOrder(edges, mapping.Start);
            AddInOrder(edges, mapping.End);
        }
        var segments = new List<Segment>();
        var from = 0ul;
        foreach (var to in edges)
        {
            var owner = mappings.FindIndex(mapping => mapping.Start <= from && from < to && to <= mapping.End);
            if (owner >= 0)
                Append(segments, new Segment(from, to, mappings[owner].Target, mappings[owner].Start));
            from = to;
        }
        return [.. segments];
    }

    private static void AddInOrder(List<ulong> edges, ulong edge)
    {
        var at = edges.Count;
        while (at > 0 && edges[at - 1] >= edge)
            at--;
        if (at == edges.Count || edges[at] != edge)
            edges.Insert(at, edge);
    }

    private static void Append(List<Segment> segments, Segment next)
    {
        if (segments.Count > 0 && segments[^1] is var last && last.End == next.Start && ReferenceEquals(last.Target, next.Target))
            segments[^1] = last with { End = next.End };
        else
            segments.Add(next);
    }

    private readonly record struct Mapping(ulong Start, ulong End, IAddressTarget Target, int Priority);

    private readonly record struct Segment(ulong Start, ulong End, IAddressTarget Target, ulong TargetStart);
}
