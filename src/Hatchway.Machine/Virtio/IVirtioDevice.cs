using Hatchway.Pci.Address;

namespace Hatchway.Machine.Virtio;

/// <summary>What makes one type of virtio device differ from another (VIRTIO 1.2 §5).</summary>
public interface IVirtioDevice
{
    /// <summary>The virtio device id (§5).</summary>
    ushort DeviceType { get; }

    /// <summary>PCI's class code: base class, sub-class, programming interface.</summary>
    uint ClassCode { get; }

    /// <summary>The features of its type that it has; those of all devices are added by the transport.</summary>
    ulong Features { get; }

    /// <summary>The sizes of its queues, each a power of two and at most <see cref="DescriptorChain.MaximumSegments"/>.</summary>
    IReadOnlyList<ushort> QueueSizes { get; }

    /// <summary>Bytes of its configuration (§2.5).</summary>
    int ConfigurationBytes { get; }

    /// <summary>How many threads may be in <see cref="Handle"/> at once, at least 1.</summary>
    int Workers { get; }

    /// <summary>What it counts, by name, for people. Any thread.</summary>
    IReadOnlyList<(string Name, long Value)> Counters => [];

    /// <summary>The one worker that serves a queue; null where all do.</summary>
    int? WorkerOf(int queue) => null;

    /// <summary>What serves a queue whose buffers wait; null where each buffer is a request. A worker's thread asks.</summary>
    IBufferKeeper? KeeperOf(int queue) => null;

    /// <summary>Reads its configuration. A vCPU's thread calls.</summary>
    /// <param name="offset">In bytes; the access lies wholly inside.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    ulong ReadConfiguration(int offset, AccessWidth width);

    /// <summary>Begins to serve a driver. Nothing is handled before.</summary>
    /// <param name="features">What was negotiated.</param>
    void Start(ulong features);

    /// <summary>Does what a buffer asks for, of a queue that has no keeper. Allocates nothing and does not throw,
    /// whatever is in it.</summary>
    /// <param name="queue">The queue that it came by.</param>
    /// <param name="worker">0 to <see cref="Workers"/> less one; no two threads have the same at once.</param>
    /// <param name="buffer">The buffer.</param>
    /// <returns>Bytes written, from the start of the writable part.</returns>
    uint Handle(int queue, int worker, DescriptorChain buffer);
}
