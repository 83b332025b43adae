using System.Runtime.InteropServices;
using Hatchway.Machine.Virtio.Spec;
using static Hatchway.Machine.Virtio.Spec.SplitLayout;

namespace Hatchway.Machine.Virtio;

/// <summary>A queue of three parts: a descriptor table, and a ring in each direction (VIRTIO 1.2 §2.7).</summary>
internal sealed class SplitQueue : IVirtQueue
{
    private readonly QueueMemory _memory;
    private readonly QueueSettings _settings;
    private readonly bool _indirect;
    private readonly bool _eventIndex;
    private ushort _nextAvailable;
    private ushort _nextUsed;
    private ushort _signalledUsed;

    private SplitQueue(QueueMemory memory, in QueueSettings settings)
    {
        _memory = memory;
        _settings = settings;
        _indirect = (settings.Features & Feature.IndirectDescriptors) != 0;
        _eventIndex = (settings.Features & Feature.EventIndex) != 0;
    }

    /// <summary>Makes the device's end of a queue; null when the settings are none that a driver may choose.</summary>
    public static SplitQueue? TryCreate(QueueMemory memory, in QueueSettings settings)
    {
        var fits = settings.Size is > 0 and <= DescriptorChain.MaximumSegments
            && (settings.Size & (settings.Size - 1)) == 0
            && settings.Descriptors % DescriptorAlignment == 0
            && settings.Driver % AvailableAlignment == 0
            && settings.Device % UsedAlignment == 0
            && memory.Contains(settings.Descriptors, (ulong)settings.Size * DescriptorBytes)
            && memory.Contains(settings.Driver, (ulong)AvailableBytes(settings.Size))
            && memory.Contains(settings.Device, (ulong)UsedBytes(settings.Size));
        return fits ? new SplitQueue(memory, settings) : null;
    }

    private bool HasMore => AvailableIndex != _nextAvailable;

    // Acquire: the descriptors and ring entries that the driver wrote before the index are read after it (§2.7.13.3).
    private ushort AvailableIndex => _memory.ReadAcquire(_settings.Driver + RingIndex);

    public TakeResult TryTake(DescriptorChain chain)
    {
        var pending = (ushort)(AvailableIndex - _nextAvailable);
        if (pending == 0)
            return TakeResult.Empty;
        if (pending > _settings.Size)
            return TakeResult.Broken;
        var entry = (ulong)(_nextAvailable & (_settings.Size - 1)) * AvailableEntryBytes;
        chain.Clear();
        chain.Id = _memory.Read<ushort>(_settings.Driver + Ring + entry);
        if (!TryFill(chain))
            return TakeResult.Broken;
        _nextAvailable++;
        return TakeResult.Taken;
    }

    public void Complete(ReadOnlySpan<DescriptorChain> chains, ReadOnlySpan<uint> written)
    {
        for (var i = 0; i < chains.Length; i++)
        {
            var entry = _settings.Device + Ring + ((ulong)(_nextUsed & (_settings.Size - 1)) * UsedEntryBytes);
            _memory.Write(entry, (uint)chains[i].Id);
            _memory.Write(entry + 4, written[i]);
            _nextUsed++;
        }
        // Release: a driver that sees the index also sees the entries and the buffers (§2.7.8.2).
        _memory.WriteRelease(_settings.Device + RingIndex, _nextUsed);
    }

    public bool NeedsInterrupt()
    {
        // The index is written before the driver's suppression field is read, and the driver does the reverse, so at least one side sees
        // the other's write. A load may pass an earlier store on x86 and in .NET, so this takes a full barrier (§2.7.7.2, §2.7.10).
        Interlocked.MemoryBarrier();
        var before = _signalledUsed;
        _signalledUsed = _nextUsed;
        if (!_eventIndex)
            return _nextUsed != before && (_memory.ReadAcquire(_settings.Driver + RingFlags) & DoNotTell) == 0;
        var wanted = _memory.ReadAcquire(_settings.Driver + Ring + ((ulong)_settings.Size * AvailableEntryBytes));
        // Interrupt when `wanted` is among the entries used since `before` (§2.7.7.2).
        return (ushort)(wanted - before) < (ushort)(_nextUsed - before);
    }

    public void SuppressNotifications()
    {
        // With event indices there is nothing to do: the driver has passed the entry of which it was asked to notify.
        if (!_eventIndex)
            _memory.WriteRelease(_settings.Device + RingFlags, DoNotTell);
    }

    public bool ResumeNotifications()
    {
        if (_eventIndex)
            _memory.WriteRelease(_settings.Device + Ring + ((ulong)_settings.Size * UsedEntryBytes), _nextAvailable);
        else
            _memory.WriteRelease(_settings.Device + RingFlags, 0);
        // Our request is written before the index is read again, as above.
        Interlocked.MemoryBarrier();
        return HasMore;
    }

    private bool TryFill(DescriptorChain chain)
    {
        var table = _settings.Descriptors;
        var entries = (uint)_settings.Size;
        var isIndirect = false;
        var index = (uint)chain.Id;
        // A chain that visits more descriptors than its table has is a loop.
        for (var visited = 0u; visited < entries && index < entries; visited++)
        {
            var descriptor = _memory.Read<Descriptor>(table + ((ulong)index * DescriptorBytes));
            if ((descriptor.Flags & DescriptorFlag.Indirect) != 0)
            {
                // An indirect descriptor must end its chain, be in the queue's own table, and refer to a table that is not empty
                // (§2.7.5.3).
                if (!_indirect || isIndirect || (descriptor.Flags & DescriptorFlag.Next) != 0
                    || descriptor.Length is 0 || descriptor.Length % DescriptorBytes != 0
                    || !_memory.Contains(descriptor.Address, descriptor.Length))
                    return false;
                (table, entries, isIndirect) = (descriptor.Address, descriptor.Length / DescriptorBytes, true);
                // The loop's increment wraps it to 0: the indirect table has its own count.
                (index, visited) = (0, uint.MaxValue);
                continue;
            }
            if (!chain.TryAdd(_memory, descriptor.Address, descriptor.Length, (descriptor.Flags & DescriptorFlag.Write) != 0))
                return false;
            if ((descriptor.Flags & DescriptorFlag.Next) == 0)
                return true;
            index = descriptor.Next;
        }
        return false;
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Descriptor(ulong Address, uint Length, ushort Flags, ushort Next);
}
