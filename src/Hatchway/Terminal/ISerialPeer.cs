using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>The far end of a serial port, or of a console's port.</summary>
internal interface ISerialPeer : ICharacterSink, IDisposable
{
    /// <summary>Notes that the port has room again. Any thread.</summary>
    void SignalRoom();

    /// <summary>Starts to pass input to a port.</summary>
    void Start(ICharacterInput port);
}
