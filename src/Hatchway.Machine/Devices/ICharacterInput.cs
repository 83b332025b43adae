namespace Hatchway.Machine.Devices;

/// <summary>What the guest reads characters from, as a serial port.</summary>
public interface ICharacterInput
{
    /// <summary>Gives bytes to the guest, from the host's side. Any thread.</summary>
    /// <returns>How many there was room for. When fewer than offered, whoever made it is told when there is room again.</returns>
    int Receive(ReadOnlySpan<byte> bytes);
}
