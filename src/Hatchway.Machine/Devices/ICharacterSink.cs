namespace Hatchway.Machine.Devices;

/// <summary>Where the output of a serial port or console goes. The program implements it.</summary>
public interface ICharacterSink
{
    /// <summary>Takes bytes. Called on a vCPU's or a device's thread, by several at once when the guest does so; never throws.</summary>
    void Write(ReadOnlySpan<byte> bytes);
}
