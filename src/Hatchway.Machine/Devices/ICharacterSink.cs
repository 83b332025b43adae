namespace Hatchway.Machine.Devices;

/// <summary>Receives the output of a serial port or console. The program implements it.</summary>
public interface ICharacterSink
{
    /// <summary>Takes bytes. vCPUs' and devices' threads call it, possibly several at once; it never throws.</summary>
    void Write(ReadOnlySpan<byte> bytes);
}
