namespace Hatchway.Machine.Virtio.Devices;

/// <summary>Where random bytes come from. The program implements it.</summary>
public interface IEntropySource
{
    /// <summary>Fills bytes with random ones. Neither throws nor allocates.</summary>
    /// <returns>How many were filled, from the start.</returns>
    int Fill(Span<byte> bytes);
}
