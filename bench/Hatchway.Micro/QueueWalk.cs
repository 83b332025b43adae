using BenchmarkDotNet.Attributes;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Virtio;
using Hatchway.Machine.Virtio.Spec;

namespace Hatchway.Micro;

/// <summary>A buffer's way through a queue, from the driver's offer to its return,
/// by the queue's layout and the number of the buffer's descriptors.</summary>
public class QueueWalk
{
    private const ushort QueueSize = 256;
    private const ulong Descriptors = 0x1000;
    private const ulong Driver = 0x3000;
    private const ulong Device = 0x4000;
    private const ulong Data = 0x1_0000;
    private const uint DescriptorBytes = 16;
    private readonly QueueMemory _memory = new(new Ram());
    private readonly DescriptorChain[] _chain = [new()];
    private readonly uint[] _written = [1];
    private IVirtQueue _queue = null!;
    private ushort _offered;
    private int _place;
    private bool _wrap = true;

    [Params(false, true)]
    public bool Packed { get; set; }

    [Params(1, 4, 16, 64)]
    public int Pieces { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        var settings = new QueueSettings(QueueSize, Descriptors, Driver, Device, 1ul << 32);
        _queue = Packed ? PackedQueue.TryCreate(_memory, settings)! : SplitQueue.TryCreate(_memory, settings)!;
        for (var i = 0; i < QueueSize && !Packed; i++)
        {
            var last = i % Pieces == Pieces - 1;
            Write(i, (ushort)((last ? 0 : DescriptorFlag.Next) | DescriptorFlag.Write), (ushort)(i + 1));
            _memory.Write(Driver + 4 + ((ulong)i * 2), (ushort)(i * Pieces % QueueSize));
        }
    }

    [Benchmark]
    public TakeResult Offer_take_and_complete()
    {
        if (Packed)
            OfferPacked();
        else
            _memory.WriteRelease(Driver + 2, ++_offered);
        var result = _queue.TryTake(_chain[0]);
        _queue.Complete(_chain, _written);
        return result;
    }

    // VIRTIO 1.2 §2.8.21: the first descriptor's flags come last.
    private void OfferPacked()
    {
        for (var i = Pieces - 1; i >= 0; i--)
            Write(_place + i, PackedFlags(i == Pieces - 1), 0);
        _place += Pieces;
        if (_place == QueueSize)
            (_place, _wrap) = (0, !_wrap);
    }

    private ushort PackedFlags(bool last) =>
        (ushort)((last ? 0 : DescriptorFlag.Next) | DescriptorFlag.Write | (_wrap ? DescriptorFlag.Available : DescriptorFlag.Used));

    // The fields of a descriptor: address and length, then flags and next (§2.7.5), or id and flags (§2.8.13).
    private void Write(int index, ushort flags, ushort next)
    {
        var at = Descriptors + ((ulong)index * DescriptorBytes);
        _memory.Write(at, Data + ((ulong)index * 64));
        _memory.Write(at + 8, 64u);
        _memory.Write(at + 12, Packed ? next : flags);
        _memory.WriteRelease(at + 14, Packed ? flags : next);
    }

    private sealed class Ram : IGuestMemory
    {
        private readonly byte[] _bytes = new byte[1 << 20];

        public IReadOnlyList<RamRange> Ranges { get; } = [new(0, 0, 1 << 20)];

        public Span<byte> Slice(ulong guestPhysical, int length) => _bytes.AsSpan((int)guestPhysical, length);
    }
}
