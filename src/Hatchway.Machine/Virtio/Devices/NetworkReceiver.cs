using System.Buffers.Binary;
using Hatchway.Machine.Virtio.Spec;

namespace Hatchway.Machine.Virtio.Devices;

/// <summary>Puts packets into the buffers of one receive queue (VIRTIO 1.2 §5.1.6.4).</summary>
/// <remarks>
/// A packet is read straight into as many buffers as the largest may need. When the driver has offered fewer, the packet's rest waits in
/// the backend until there are more; without mergeable buffers, a packet that its buffer has no room for is dropped.
/// </remarks>
internal sealed class NetworkReceiver(QueueMemory memory, INetworkBackend backend, int pair) : IBufferKeeper
{
    // A bound, so that a flood of packets does not keep the thread from the control queue.
    private const int MostAtOnce = 256;

    private readonly GuestRange[] _room = new GuestRange[DescriptorChain.MaximumSegments];
    private bool _merges;
    private ulong _largest;

    // Of a packet that is received in part: its length, and how many bytes are in buffers already.
    private int _waiting;
    private int _placed;
    private long _packets;
    private long _bytes;
    private long _dropped;

    /// <summary>Counts packets, their bytes with virtio's header, and packets dropped for want of room. Any thread.</summary>
    public (long Packets, long Bytes, long Dropped) Counted =>
        (Volatile.Read(ref _packets), Volatile.Read(ref _bytes), Volatile.Read(ref _dropped));

    /// <summary>Starts over for a driver. No thread is in <see cref="Serve"/>.</summary>
    /// <param name="merges">True when a packet may span several buffers.</param>
    /// <param name="largest">The length of the largest packet to be expected.</param>
    public void Restart(bool merges, int largest)
    {
        _merges = merges;
        _largest = (ulong)largest;
        _waiting = 0;
    }

    public bool Serve(KeptBuffers buffers)
    {
        for (var i = 0; i < MostAtOnce; i++)
        {
            if (!buffers.TryBegin(_merges ? Math.Max(_largest, (ulong)_waiting) : 1))
                return false;
            var goesOn = _waiting > 0 ? Finish(buffers) : Receive(buffers);
            buffers.End();
            if (!goesOn)
                return false;
        }
        return true;
    }

    private bool Receive(KeptBuffers buffers)
    {
        // The first buffer must hold the whole header (§5.1.6.3.1).
        if (buffers.Kept[0].WritableBytes < Network.HeaderBytes)
        {
            buffers.Break();
            return false;
        }
        var room = 0ul;
        var segments = 0;
        foreach (var buffer in _merges ? buffers.Kept : buffers.Kept[..1])
        {
            if (segments + buffer.Writable.Length > _room.Length)
                break;
            buffer.Writable.CopyTo(_room.AsSpan(segments));
            segments += buffer.Writable.Length;
            room += buffer.WritableBytes;
        }
        var length = backend.TryReceive(pair, _room.AsSpan(0, segments));
        if (length < Network.HeaderBytes)
            return false;
        if ((ulong)length <= room)
            Deliver(buffers, length);
        else if (_merges)
            (_waiting, _placed) = (length, (int)room);
        else
            Volatile.Write(ref _dropped, _dropped + 1);
        return true;
    }

    private bool Finish(KeptBuffers buffers)
    {
        if (buffers.Bytes < (ulong)_waiting)
        {
            // The driver will notify of more, unless as many as are ever kept are here already.
            if (buffers.Kept.Length < KeptBuffers.Most)
                return false;
            _waiting = 0;
            Volatile.Write(ref _dropped, _dropped + 1);
            return true;
        }
        var skip = (ulong)_placed;
        var rest = backend.Overflow(pair)[..(_waiting - _placed)];
        foreach (var buffer in buffers.Kept)
        {
            if (skip < buffer.WritableBytes)
                rest = rest[buffer.Write(memory, skip, rest)..];
            skip -= Math.Min(skip, buffer.WritableBytes);
        }
        Deliver(buffers, _waiting);
        _waiting = 0;
        return true;
    }

    private void Deliver(KeptBuffers buffers, int length)
    {
        // The header's number of buffers is set to 1 without mergeable buffers, too (§5.1.6.4.1).
        Span<byte> count = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(count, (ushort)buffers.Needed((ulong)length));
        buffers.Kept[0].Write(memory, Network.HeaderBuffers, count);
        buffers.Use((ulong)length);
        Volatile.Write(ref _packets, _packets + 1);
        Volatile.Write(ref _bytes, _bytes + length);
    }
}
