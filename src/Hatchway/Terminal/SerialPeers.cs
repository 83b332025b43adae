using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Logging;

namespace Hatchway.Terminal;

/// <summary>Opens the host's ends of serial ports.</summary>
internal static class SerialPeers
{
    /// <summary>Opens a port's host end; null for a port with the control socket only.</summary>
    /// <param name="port">The port's option.</param>
    /// <param name="end">Called for Ctrl-A x on this process's terminal.</param>
    /// <param name="ended">Readable once the guest has ended.</param>
    /// <exception cref="UserException">It can't be opened.</exception>
    public static ISerialPeer? Open(SerialPortOption port, Action end, FileDescriptor ended)
    {
        switch (port.Backend)
        {
            case ControlSocket:
                return null;
            case TcpServer tcp:
                return SocketConsole.AtAddress(tcp.Address, port.Origin);
            case TerminalPath(var path):
                return SerialConsole.OnTerminal(OpenTerminal(path, port.Origin));
            case PseudoTerminalBackend:
                var pair = PseudoTerminal.Create();
                // The user has no other way to learn the name.
                StandardErrorLogger.Write($"com{port.Number} is {pair.Name}");
                return SerialConsole.OnTerminal(pair);
            default:
                return SerialConsole.OnStreams(FileDescriptor.StandardInput, FileDescriptor.StandardOutput, end, ended);
        }
    }

    private static FileDescriptor OpenTerminal(string path, string origin)
    {
        FileDescriptor terminal;
        try
        {
            terminal = FileDescriptor.OpenTerminal(path);
        }
        catch (LinuxException failure)
        {
            throw new UserException($"{origin}: {failure.Message}");
        }
        if (terminal.IsTerminal)
            return terminal;
        terminal.Dispose();
        throw new UserException($"{origin}: {path} is no terminal: write stdio, pty, tcp=IP:PORT or a path as /dev/ttyS0");
    }
}
