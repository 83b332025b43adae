namespace Hatchway.Machine.Devices;

/// <summary>Where a serial port's output goes. The program implements it.</summary>
public interface ICharacterSink
{
    /// <summary>Takes one byte. Called on a vCPU's thread, by several at once when the guest does so; never throws.</summary>
    void Write(byte value);
}
