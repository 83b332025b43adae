namespace Hatchway.Machine.Virtio;

/// <summary>The result of looking for a buffer in a queue.</summary>
public enum TakeResult : byte
{
    /// <summary>No buffer is offered.</summary>
    Empty,

    /// <summary>A buffer was taken.</summary>
    Taken,

    /// <summary>The queue holds something that no driver may put there: the device needs a reset.</summary>
    Broken,
}

/// <summary>A queue's settings, as the driver chose them.</summary>
/// <param name="Size">The number of descriptors, at least 1; a power of two in the split layout.</param>
/// <param name="Descriptors">Guest-physical address of the descriptor area.</param>
/// <param name="Driver">Guest-physical address of the driver area.</param>
/// <param name="Device">Guest-physical address of the device area.</param>
/// <param name="Features">The negotiated features.</param>
public readonly record struct QueueSettings(ushort Size, ulong Descriptors, ulong Driver, ulong Device, ulong Features);

/// <summary>The device's end of a queue in guest memory, in one of the two layouts (VIRTIO 1.2 §2.7 and §2.8).</summary>
/// <remarks>The caller serialises calls. Nothing throws whatever the guest writes, and nothing is allocated.</remarks>
internal interface IVirtQueue
{
    /// <summary>Takes the next buffer.</summary>
    TakeResult TryTake(DescriptorChain chain);

    /// <summary>Gives buffers back to the driver, which sees them at once. Their order may differ from that in which they were
    /// taken.</summary>
    /// <param name="chains">The buffers, at least one.</param>
    /// <param name="written">The bytes written to each, from its start.</param>
    void Complete(ReadOnlySpan<DescriptorChain> chains, ReadOnlySpan<uint> written);

    /// <summary>True when the driver wants an interrupt for the buffers given back since the last call.</summary>
    bool NeedsInterrupt();

    /// <summary>Tells the driver that it need not notify.</summary>
    void SuppressNotifications();

    /// <summary>Tells the driver that it must notify.</summary>
    /// <returns>True when a buffer is there already, of which the driver may not notify.</returns>
    bool ResumeNotifications();
}
