namespace Hatchway.Machine.Devices;

/// <summary>The input of a guest's character device, such as a serial port.</summary>
public interface ICharacterInput
{
    /// <summary>Offers bytes to the guest, from the host's side. Any thread.</summary>
    /// <returns>How many it took. When it took fewer than offered, it later calls back that there is room again.</returns>
    int Receive(ReadOnlySpan<byte> bytes);
}
