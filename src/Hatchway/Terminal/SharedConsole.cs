using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>A serial port with two far ends: what it is connected with, if anything, and whoever attaches to it.</summary>
/// <param name="attached">Not this one's: it outlasts the port.</param>
/// <param name="peer">What the user connected it with, or null.</param>
internal sealed class SharedConsole(AttachedConsole attached, ISerialPeer? peer) : ISerialPeer
{
    public void SignalRoom()
    {
        attached.SignalRoom();
        peer?.SignalRoom();
    }

    public void Start(ICharacterInput port)
    {
        attached.Port = port;
        peer?.Start(port);
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        attached.Write(bytes);
        peer?.Write(bytes);
    }

    public void Dispose()
    {
        attached.Port = null;
        peer?.Dispose();
    }
}
