namespace Hatchway.Machine.Virtio;

/// <summary>Serves a queue whose buffers must wait: for input that comes unasked, as packets do, or for room at the receiver.</summary>
public interface IBufferKeeper
{
    /// <summary>Uses buffers as long as it can. Allocates nothing and does not throw.</summary>
    /// <param name="buffers">The buffers that the driver has offered.</param>
    /// <returns>True when it stopped with work left, so that the thread can serve its other queues first.</returns>
    bool Serve(KeptBuffers buffers);
}
