namespace Hatchway.Machine.Virtio.Devices;

/// <summary>Who reads what a guest writes to a port of a console device. The program implements it.</summary>
public interface IPortClient
{
    /// <summary>Takes bytes, all of them when nobody is there. Called on the device's thread; never throws.</summary>
    /// <returns>How many it took. When they were not all, it has the port's transmit queue served as soon as it can take more.</returns>
    int Take(ReadOnlySpan<byte> bytes);
}
