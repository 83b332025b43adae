namespace Hatchway.Machine.Virtio;

/// <summary>Buffers of a driver that are kept until they can be used. For one thread.</summary>
/// <remarks>
/// A driver's reset, or its withdrawal of bus mastering, waits only from a <see cref="TryBegin"/> that returned true to the matching
/// <see cref="End"/>; merely keeping buffers does not delay it.
/// </remarks>
public sealed class KeptBuffers
{
    /// <summary>The largest number of kept buffers: enough for a packet of 64 KiB in buffers of 1 KiB.</summary>
    public const int Most = 64;

    private readonly VirtioQueue _queue;
    private readonly DescriptorChain[] _kept = new DescriptorChain[Most];
    private readonly DescriptorChain[] _spare = new DescriptorChain[Most];
    private readonly uint[] _written = new uint[Most];
    private int _count;
    private IVirtQueue? _ring;
    private bool _isEntered;

    internal KeptBuffers(VirtioQueue queue)
    {
        _queue = queue;
        for (var i = 0; i < Most; i++)
            _kept[i] = new DescriptorChain();
    }

    /// <summary>The kept buffers, in the driver's order.</summary>
    public ReadOnlySpan<DescriptorChain> Kept => _kept.AsSpan(0, _count);

    /// <summary>The bytes that can be written to the kept buffers.</summary>
    public ulong Bytes { get; private set; }

    /// <summary>Keeps buffers until they have enough room or there are no more; buffers without a writable part add no room.
    /// When it returns true, the caller must call <see cref="End"/>.</summary>
    /// <param name="wanted">The room wanted, in bytes.</param>
    /// <returns>False when there are no buffers; the driver then notifies of the next.</returns>
    public bool TryBegin(ulong wanted)
    {
        if (!_queue.TryEnter(out var ring))
            return false;
        // With a new ring the driver has taken all buffers back.
        if (!ReferenceEquals(ring, _ring))
        {
            _ring = ring;
            _count = 0;
            Bytes = 0;
        }
        while (Bytes < wanted && _count < Most && _queue.TryKeep(_kept[_count]))
            Bytes += _kept[_count++].WritableBytes;
        _isEntered = _count > 0;
        if (!_isEntered)
            _queue.Leave();
        return _isEntered;
    }

    /// <summary>Gives back, all at once, the buffers that this many bytes fill, and at least one.</summary>
    /// <param name="bytes">Bytes written, from the start of the first; no more than <see cref="Bytes"/>.</param>
    public void Use(ulong bytes)
    {
        var used = Needed(bytes);
        for (var i = 0; i < used; i++)
        {
            var room = _kept[i].WritableBytes;
            _written[i] = (uint)Math.Min(Math.Min(room, bytes), uint.MaxValue);
            bytes -= Math.Min(room, bytes);
            Bytes -= room;
        }
        _queue.GiveBack(_kept.AsSpan(0, used), _written.AsSpan(0, used));
        _count -= used;
        // Move the freed chains behind the kept ones, to be filled again.
        _kept.AsSpan(0, used).CopyTo(_spare);
        _kept.AsSpan(used, _count).CopyTo(_kept);
        _spare.AsSpan(0, used).CopyTo(_kept.AsSpan(_count));
    }

    /// <summary>The number of buffers that this many bytes fill, at least 1.</summary>
    public int Needed(ulong bytes)
    {
        var needed = 1;
        for (var room = _kept[0].WritableBytes; room < bytes && needed < _count; needed++)
            room += _kept[needed].WritableBytes;
        return needed;
    }

    /// <summary>Ends the queue, because the driver has offered something that no driver may.</summary>
    public void Break() => _queue.Break();

    /// <summary>Ends the use that <see cref="TryBegin"/> began.</summary>
    public void End()
    {
        _isEntered = false;
        _queue.Leave();
    }

    /// <summary>Ends a use that an exception left open.</summary>
    internal void Abandon()
    {
        if (_isEntered)
            End();
    }
}
