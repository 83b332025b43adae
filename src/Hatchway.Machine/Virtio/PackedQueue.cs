using System.Runtime.InteropServices;
using Hatchway.Machine.Virtio.Spec;
using static Hatchway.Machine.Virtio.Spec.PackedLayout;

namespace Hatchway.Machine.Virtio;

/// <summary>A queue with a single ring: the device gives descriptors back in place (VIRTIO 1.2 §2.8).</summary>
internal sealed class PackedQueue : IVirtQueue
{
    private readonly QueueMemory _memory;
    private readonly QueueSettings _settings;
    private readonly bool _indirect;
    private readonly bool _eventIndex;
    private Place _available;
    private Place _used;
    private Place _signalled;

    private PackedQueue(QueueMemory memory, in QueueSettings settings)
    {
        _memory = memory;
        _settings = settings;
        _indirect = (settings.Features & Feature.IndirectDescriptors) != 0;
        _eventIndex = (settings.Features & Feature.EventIndex) != 0;
        _available = _used = _signalled = new Place(0, true);
    }

    /// <summary>Makes the device's end of a queue; null when the settings are none that a driver may choose.</summary>
    public static PackedQueue? TryCreate(QueueMemory memory, in QueueSettings settings)
    {
        var fits = settings.Size is > 0 and <= DescriptorChain.MaximumSegments
            && settings.Descriptors % DescriptorAlignment == 0
            && settings.Driver % EventAlignment == 0
            && settings.Device % EventAlignment == 0
            && memory.Contains(settings.Descriptors, (ulong)settings.Size * DescriptorBytes)
            && memory.Contains(settings.Driver, EventBytes)
            && memory.Contains(settings.Device, EventBytes);
        return fits ? new PackedQueue(memory, settings) : null;
    }

    private bool HasMore
    {
        get
        {
            // Acquire: the driver writes the first descriptor's flags last, after the rest of the buffer (§2.8.21.1).
            var flags = _memory.ReadAcquire(At(_available.Index) + DescriptorFlags);
            return ((flags & DescriptorFlag.Available) != 0) == _available.Wrap && ((flags & DescriptorFlag.Used) != 0) != _available.Wrap;
        }
    }

    public TakeResult TryTake(DescriptorChain chain)
    {
        if (!HasMore)
            return TakeResult.Empty;
        chain.Clear();
        if (!TryFill(chain))
            return TakeResult.Broken;
        _available = _available.Advance(chain.RingEntries, _settings.Size);
        return TakeResult.Taken;
    }

    public void Complete(ReadOnlySpan<DescriptorChain> chains, ReadOnlySpan<uint> written)
    {
        var first = _used;
        for (var i = 0; i < chains.Length; i++)
        {
            var at = At(_used.Index);
            _memory.Write(at + DescriptorLength, written[i]);
            _memory.Write(at + DescriptorId, chains[i].Id);
            if (i > 0)
                WriteUsedFlags(_used, chains[i]);
            _used = _used.Advance(chains[i].RingEntries, _settings.Size);
        }
        // The first buffer's flags come last: a driver that does not see them looks at none of the later ones.
        WriteUsedFlags(first, chains[0]);
    }

    public bool NeedsInterrupt()
    {
        // As in the split layout: our flags are written before the driver's event structure is read, and the driver does the reverse
        // (§2.8.21.3.1).
        Interlocked.MemoryBarrier();
        var before = _signalled;
        _signalled = _used;
        if (before == _used)
            return false;
        var flags = _memory.ReadAcquire(_settings.Driver + EventFlags);
        if (!_eventIndex || flags != TellAtDescriptor)
            return flags != TellNever;
        var wish = _memory.ReadAcquire(_settings.Driver + EventDescriptor);
        var wanted = new Place(wish & ((1 << EventWrapBit) - 1), wish >> EventWrapBit != 0);
        // Interrupt when `wanted` is among the places used since `before`.
        return wanted.Since(before, _settings.Size) < _used.Since(before, _settings.Size);
    }

    public void SuppressNotifications() => _memory.WriteRelease(_settings.Device + EventFlags, TellNever);

    public bool ResumeNotifications()
    {
        var wish = _available.Index | (_available.Wrap ? 1 << EventWrapBit : 0);
        if (_eventIndex)
            _memory.WriteRelease(_settings.Device + EventDescriptor, (ushort)wish);
        _memory.WriteRelease(_settings.Device + EventFlags, _eventIndex ? TellAtDescriptor : TellAlways);
        Interlocked.MemoryBarrier();
        return HasMore;
    }

    // Release: a driver that sees the flags also sees the rest of the descriptor, and the buffer (§2.8.9). The length is valid only with
    // the write flag, which says that something was written (§2.8.3, §2.8.4). It may still be 0: a disk request that failed has its status
    // after data that was not written. Every device here writes to each buffer that it can write to.
    private void WriteUsedFlags(Place place, DescriptorChain chain)
    {
        var flags = place.Wrap ? DescriptorFlag.Available | DescriptorFlag.Used : 0;
        _memory.WriteRelease(At(place.Index) + DescriptorFlags, (ushort)(chain.WritableBytes > 0 ? flags | DescriptorFlag.Write : flags));
    }

    private ulong At(int index) => _settings.Descriptors + ((ulong)index * DescriptorBytes);

    // A buffer's descriptors are consecutive in the ring, and the last has its id (§2.8.6). A buffer is either one indirect descriptor, or
    // direct descriptors only (§2.8.19).
    private bool TryFill(DescriptorChain chain)
    {
        var place = _available;
        for (var count = 1; count <= _settings.Size; count++)
        {
            var descriptor = _memory.Read<Descriptor>(At(place.Index));
            if ((descriptor.Flags & DescriptorFlag.Indirect) != 0)
            {
                (chain.Id, chain.RingEntries) = (descriptor.Id, 1);
                return count == 1 && _indirect && (descriptor.Flags & DescriptorFlag.Next) == 0 && TryFillIndirect(chain, descriptor);
            }
            if (!chain.TryAdd(_memory, descriptor.Address, descriptor.Length, (descriptor.Flags & DescriptorFlag.Write) != 0))
                return false;
            if ((descriptor.Flags & DescriptorFlag.Next) == 0)
            {
                (chain.Id, chain.RingEntries) = (descriptor.Id, count);
                return true;
            }
            place = place.Advance(1, _settings.Size);
        }
        return false;
    }

    // The whole indirect table is the buffer, in order; of its flags only the write flag has a meaning (§2.8.8).
    private bool TryFillIndirect(DescriptorChain chain, in Descriptor table)
    {
        if (table.Length is 0 || table.Length % DescriptorBytes != 0 || !_memory.Contains(table.Address, table.Length))
            return false;
        for (var at = 0ul; at < table.Length; at += DescriptorBytes)
        {
            var descriptor = _memory.Read<Descriptor>(table.Address + at);
            if (!chain.TryAdd(_memory, descriptor.Address, descriptor.Length, (descriptor.Flags & DescriptorFlag.Write) != 0))
                return false;
        }
        return true;
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Descriptor(ulong Address, uint Length, ushort Id, ushort Flags);

    /// <summary>An index into the ring, with the wrap counter of its turn.</summary>
    private readonly record struct Place(int Index, bool Wrap)
    {
        public Place Advance(int entries, int size) =>
            Index + entries < size ? this with { Index = Index + entries } : new Place(Index + entries - size, !Wrap);

        // Two turns form a circle of twice the ring's size, on which each place occurs once.
        public int Since(Place before, int size)
        {
            var distance = Index - before.Index + (Wrap == before.Wrap ? 0 : size);
            return ((distance % (2 * size)) + (2 * size)) % (2 * size);
        }
    }
}
