namespace Hatchway.Machine.Virtio;

/// <summary>
/// One buffer of a queue: what the device may read of it and what it may write. Made once and filled again for each request, so that
/// nothing is allocated.
/// </summary>
/// <remarks>How a driver cuts a request into descriptors means nothing (VIRTIO 1.2 §2.7.4): both parts are to be taken as bytes.</remarks>
public sealed class DescriptorChain
{
    /// <summary>The most pieces that a buffer may have: as many as the largest queue has descriptors (§2.7.5.2, §2.8.9).</summary>
    public const int MaximumSegments = 256;

    /// <summary>The most bytes that a buffer may have (§2.7.5.1).</summary>
    public const ulong MaximumBytes = 1ul << 32;

    private readonly GuestRange[] _segments = new GuestRange[MaximumSegments];
    private int _count;
    private int _readable;

    /// <summary>What the driver has written for the device.</summary>
    public ReadOnlySpan<GuestRange> Readable => _segments.AsSpan(0, _readable);

    /// <summary>Where the device is to write.</summary>
    public ReadOnlySpan<GuestRange> Writable => _segments.AsSpan(_readable, _count - _readable);

    /// <summary>Bytes of <see cref="Readable"/>.</summary>
    public ulong ReadableBytes { get; private set; }

    /// <summary>Bytes of <see cref="Writable"/>.</summary>
    public ulong WritableBytes { get; private set; }

    /// <summary>What the driver knows the buffer by: the index of its first descriptor, or in the packed layout its id.</summary>
    internal ushort Id { get; set; }

    /// <summary>Places that it takes in a packed ring.</summary>
    internal int RingEntries { get; set; }

    /// <summary>Empties it.</summary>
    internal void Clear()
    {
        _count = _readable = 0;
        ReadableBytes = WritableBytes = 0;
    }

    /// <summary>Adds a descriptor's memory.</summary>
    /// <returns>
    /// False when no driver may offer it: it is empty, not RAM, to be read after what is to be written (§2.7.4.2), one too many, or more
    /// than a chain's 4 GiB (§2.7.5.1).
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

    /// <summary>Picks bytes out of pieces.</summary>
    /// <param name="from">The pieces.</param>
    /// <param name="skip">Bytes before the first.</param>
    /// <param name="take">Bytes.</param>
    /// <param name="to">Takes the pieces; as long as <paramref name="from"/> is enough.</param>
    /// <returns>How many pieces there are.</returns>
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
    /// <returns>How many there were.</returns>
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
    /// <returns>How many there was room for.</returns>
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

    // What of a piece is to be taken: nothing where all of it is skipped, or nothing is left to take.
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
