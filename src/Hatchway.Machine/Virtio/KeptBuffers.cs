namespace Hatchway.Machine.Virtio;

/// <summary>Buffers that a driver has offered and that must wait: they are kept until they can be used. One thread uses it.</summary>
/// <remarks>
/// A driver that resets the device, or takes bus mastering from it, waits from a <see cref="TryBegin"/> that gave true to the
/// <see cref="End"/> after it, and for nothing else: kept buffers are in nobody's hands.
/// </remarks>
public sealed class KeptBuffers
{
    /// <summary>The most that are kept: a packet of 64 KiB in buffers of 1 KiB.</summary>
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

    /// <summary>Those that are kept, in the order of the driver's.</summary>
    public ReadOnlySpan<DescriptorChain> Kept => _kept.AsSpan(0, _count);

    /// <summary>Bytes that can be written to them.</summary>
    public ulong Bytes { get; private set; }

    /// <summary>Keeps buffers until there is room enough or there are no more; of those to be read, all.
    /// With true begins what <see cref="End"/> ends.</summary>
    /// <param name="wanted">Bytes to have room for.</param>
    /// <returns>False when there are none; the driver notifies when there are.</returns>
    public bool TryBegin(ulong wanted)
    {
        if (!_queue.TryEnter(out var ring))
            return false;
        // A driver that has begun anew has taken all back.
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

    /// <summary>Gives back as many buffers as so many bytes fill, at once, and at least one.</summary>
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
        // Behind the kept ones come those to be filled again.
        _kept.AsSpan(0, used).CopyTo(_spare);
        _kept.AsSpan(used, _count).CopyTo(_kept);
        _spare.AsSpan(0, used).CopyTo(_kept.AsSpan(_count));
    }

    /// <summary>How many buffers so many bytes fill, at least 1.</summary>
    public int Needed(ulong bytes)
    {
        var needed = 1;
        for (var room = _kept[0].WritableBytes; room < bytes && needed < _count; needed++)
            room += _kept[needed].WritableBytes;
        return needed;
    }

    /// <summary>Ends the queue: the driver has offered what no driver may.</summary>
    public void Break() => _queue.Break();

    /// <summary>Ends what <see cref="TryBegin"/> began.</summary>
    public void End()
    {
        _isEntered = false;
        _queue.Leave();
    }

    /// <summary>Ends what was begun and not ended, after a mistake of ours.</summary>
    internal void Abandon()
    {
        if (_isEntered)
            End();
    }
}
