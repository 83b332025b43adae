namespace Hatchway.Machine.Virtio;

/// <summary>Serves a queue whose buffers wait: for what comes unasked, as packets do, or for room at the other end.</summary>
public interface IBufferKeeper
{
    /// <summary>Uses buffers while it can. Allocates nothing and does not throw.</summary>
    /// <param name="buffers">What the driver has offered.</param>
    /// <returns>True when there may be more, and the thread is to look after its other queues before.</returns>
    bool Serve(KeptBuffers buffers);
}
