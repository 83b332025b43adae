namespace Hatchway.Machine.Virtio;

/// <summary>Fills a queue's buffers with what comes unasked, as packets do.</summary>
public interface IBufferFiller
{
    /// <summary>Fills buffers while there is something to fill them with. Allocates nothing and does not throw.</summary>
    /// <param name="buffers">What the driver has offered.</param>
    /// <returns>True when there may be more, and the thread is to look after its other queues before.</returns>
    bool Fill(InboundBuffers buffers);
}
