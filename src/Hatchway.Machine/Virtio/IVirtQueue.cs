namespace Hatchway.Machine.Virtio;

/// <summary>What a device finds when it looks into a queue.</summary>
public enum TakeResult : byte
{
    /// <summary>Nothing is offered.</summary>
    Empty,

    /// <summary>A buffer was taken.</summary>
    Taken,

    /// <summary>The driver has put into the queue what no driver may: the device needs a reset.</summary>
    Broken,
}

/// <summary>How a driver has set a queue up.</summary>
/// <param name="Size">Descriptors, at least 1; a power of two in the split layout.</param>
/// <param name="Descriptors">Guest-physical address of the descriptor area.</param>
/// <param name="Driver">Guest-physical address of the driver area.</param>
/// <param name="Device">Guest-physical address of the device area.</param>
/// <param name="Features">The features that were negotiated.</param>
public readonly record struct QueueSettings(ushort Size, ulong Descriptors, ulong Driver, ulong Device, ulong Features);

/// <summary>The device's end of a queue in guest memory, in one of the two layouts (VIRTIO 1.2 §2.7 and §2.8).</summary>
/// <remarks>The caller serialises calls. Nothing here throws for what a guest writes, and nothing is allocated.</remarks>
internal interface IVirtQueue
{
    /// <summary>Takes the next buffer.</summary>
    TakeResult TryTake(DescriptorChain chain);

    /// <summary>Gives buffers back, which the driver sees at once. Buffers may go back in another order than they came.</summary>
    /// <param name="chains">The buffers, at least one.</param>
    /// <param name="written">Bytes that were written to each, from its start.</param>
    void Complete(ReadOnlySpan<DescriptorChain> chains, ReadOnlySpan<uint> written);

    /// <summary>True when the driver wants to be told of what was given back since this was asked last.</summary>
    bool NeedsInterrupt();

    /// <summary>Lets the driver know that it need not notify.</summary>
    void SuppressNotifications();

    /// <summary>Lets the driver know that it must notify.</summary>
    /// <returns>True when a buffer came before it could know: there is no notification of that one.</returns>
    bool ResumeNotifications();
}
