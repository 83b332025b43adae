namespace Hatchway.Machine.Virtio.Devices;

/// <summary>Takes what a guest writes to a port of a console device. The program implements it.</summary>
public interface IPortClient
{
    /// <summary>Takes bytes; when no client is connected, it takes and drops all. Called on the device's thread; never throws.</summary>
    /// <returns>How many it took. When not all, it asks for the port's transmit queue to be served once it can take more.</returns>
    int Take(ReadOnlySpan<byte> bytes);
}
