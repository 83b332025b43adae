namespace Hatchway.Machine.Virtio;

/// <summary>
/// One buffer of a queue: its parts that the device may read, and those that it may write. Made once and filled again for each request,
/// so that nothing is allocated.
/// </summary>
/// <remarks>How a driver splits a request into descriptors has no meaning (VIRTIO 1.2 §2.7.4): both parts are streams of bytes.</remarks>
public sealed class DescriptorChain
{
    /// <summary>The most pieces of a buffer: as many as the largest queue has descriptors (§2.7.5.2, §2.8.9).</summary>
    public const int MaximumSegments = 256;

    /// <summary>The most bytes of a buffer (§2.7.5.1).</summary>
    public const ulong MaximumBytes = 1ul << 32;

    private readonly GuestRange[] _segments = new GuestRange[MaximumSegments];
    private int _count;
    private int _readable;

    /// <summary>The pieces that the driver has written for the device.</summary>
    public ReadOnlySpan<GuestRange> Readable => _segments.AsSpan(0, _readable);

    /// <summary>The pieces that the device is to write.</summary>
    public ReadOnlySpan<GuestRange> Writable => _segments.AsSpan(_readable, _count - _readable);

    /// <summary>Bytes of <see cref="Readable"/>.</summary>
    public ulong ReadableBytes { get; private set; }

    /// <summary>Bytes of <see cref="Writable"/>.</summary>
    public ulong WritableBytes { get; private set; }

    /// <summary>The buffer's id for the driver: the index of its first descriptor, or in the packed layout its buffer id.</summary>
    internal ushort Id { get; set; }

    /// <summary>The number of entries that it takes in a packed ring.</summary>
    internal int RingEntries { get; set; }

    /// <summary>Removes all pieces.</summary>
    internal void Clear()
    {
        _count = _readable = 0;
        ReadableBytes = WritableBytes = 0;
    }

    /// <summary>Adds a descriptor's memory.</summary>
    /// <returns>
    /// False when no driver may offer it: it is empty, outside RAM, a readable part after a writable one (§2.7.4.2), one piece too many, or
    /// makes the buffer larger than 4 GiB (§2.7.5.1).
    /// </returns>
    internal bool TryAdd(QueueMemory memory, ulong address, uint length, bool writable)
    {
        if (ReadableBytes + WritableBytes + length > MaximumBytes)
            return false;
        if (_count == MaximumSegments || length == 0 || (!writable && _readable < _count) || !memory.Contains(address, length))
            return false;
        _segments[_count++] = new GuestRange(address, length);
        if (writable)
        {
            WritableBytes += length;
            return true;
        }
        _readable = _count;
        ReadableBytes += length;
        return true;
    }

    /// <summary>Selects a range of bytes from a list of pieces.</summary>
    /// <param name="from">The pieces.</param>
    /// <param name="skip">Bytes before the range.</param>
    /// <param name="take">Bytes of the range.</param>
    /// <param name="to">Receives the range's pieces; as long as <paramref name="from"/> is enough.</param>
    /// <returns>The number of pieces.</returns>
    public static int Pick(ReadOnlySpan<GuestRange> from, ulong skip, ulong take, Span<GuestRange> to)
    {
        var count = 0;
        foreach (var piece in from)
        {
            if (Next(piece, ref skip, take) is not { Length: > 0 } part)
                continue;
            to[count++] = part;
            take -= part.Length;
        }
        return count;
    }

    /// <summary>Copies bytes out of the readable part.</summary>
    /// <returns>The number of bytes copied.</returns>
    public int Read(QueueMemory memory, ulong skip, Span<byte> to)
    {
        ArgumentNullException.ThrowIfNull(memory);
        var done = 0;
        foreach (var piece in Readable)
        {
            if (Next(piece, ref skip, (ulong)(to.Length - done)) is not { Length: > 0 } part)
                continue;
            memory.Slice(part.Address, (int)part.Length).CopyTo(to[done..]);
            done += (int)part.Length;
        }
        return done;
    }

    /// <summary>Copies bytes into the writable part.</summary>
    /// <returns>The number of bytes that fit.</returns>
    public int Write(QueueMemory memory, ulong skip, ReadOnlySpan<byte> from)
    {
        ArgumentNullException.ThrowIfNull(memory);
        var done = 0;
        foreach (var piece in Writable)
        {
            if (Next(piece, ref skip, (ulong)(from.Length - done)) is not { Length: > 0 } part)
                continue;
            from.Slice(done, (int)part.Length).CopyTo(memory.Slice(part.Address, (int)part.Length));
            done += (int)part.Length;
        }
        return done;
    }

    // The part of a piece that is in the range; empty when all of the piece is skipped, or nothing is left to take.
    private static GuestRange Next(GuestRange piece, ref ulong skip, ulong left)
    {
        if (skip >= piece.Length)
        {
            skip -= piece.Length;
            return default;
        }
        var part = new GuestRange(piece.Address + skip, (uint)Math.Min(piece.Length - skip, left));
        skip = 0;
        return part;
    }
}
