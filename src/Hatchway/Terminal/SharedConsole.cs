using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>A serial port's two far ends: the host end that the user configured, if any, and clients that attach later.</summary>
/// <param name="attached">For clients that attach; not owned, since it outlasts the port.</param>
/// <param name="peer">The configured host end, or null.</param>
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
