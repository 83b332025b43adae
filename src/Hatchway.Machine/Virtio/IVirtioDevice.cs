using Hatchway.Pci.Address;

namespace Hatchway.Machine.Virtio;

/// <summary>The part of a virtio device that is specific to its type (VIRTIO 1.2 §5).</summary>
public interface IVirtioDevice
{
    /// <summary>The virtio device id (§5).</summary>
    ushort DeviceType { get; }

    /// <summary>PCI's class code: base class, sub-class, programming interface.</summary>
    uint ClassCode { get; }

    /// <summary>The feature bits of its type; the transport adds those common to all devices.</summary>
    ulong Features { get; }

    /// <summary>The sizes of its queues, each a power of two and at most <see cref="DescriptorChain.MaximumSegments"/>.</summary>
    IReadOnlyList<ushort> QueueSizes { get; }

    /// <summary>Bytes of its configuration space (§2.5).</summary>
    int ConfigurationBytes { get; }

    /// <summary>The number of threads that may be in <see cref="Handle"/> at once, at least 1.</summary>
    int Workers { get; }

    /// <summary>The device's counters, by name, for people. Any thread.</summary>
    IReadOnlyList<(string Name, long Value)> Counters => [];

    /// <summary>The only worker that serves a queue; null when all do.</summary>
    int? WorkerOf(int queue) => null;

    /// <summary>The keeper of a queue whose buffers must wait; null where each buffer is a request. A worker's thread calls.</summary>
    IBufferKeeper? KeeperOf(int queue) => null;

    /// <summary>Reads its configuration space. A vCPU's thread calls.</summary>
    /// <param name="offset">In bytes; the access lies inside.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    ulong ReadConfiguration(int offset, AccessWidth width);

    /// <summary>Prepares for a driver. Called before any buffer is handled.</summary>
    /// <param name="features">The negotiated features.</param>
    void Start(ulong features);

    /// <summary>Called when the driver has reset the device, which then has no driver until the next <see cref="Start"/>. No buffer is in
    /// use.</summary>
    void Reset()
    {
    }

    /// <summary>Executes the request in a buffer of a queue without a keeper. Allocates nothing, and does not throw whatever the buffer
    /// holds.</summary>
    /// <param name="queue">The buffer's queue.</param>
    /// <param name="worker">0 to <see cref="Workers"/> less one; no two threads have the same at once.</param>
    /// <param name="buffer">The buffer.</param>
    /// <returns>Bytes written, from the start of the writable part.</returns>
    uint Handle(int queue, int worker, DescriptorChain buffer);
}
