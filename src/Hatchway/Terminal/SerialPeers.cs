using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Logging;

namespace Hatchway.Terminal;

/// <summary>Opens what the user connects serial ports with.</summary>
internal static class SerialPeers
{
    /// <summary>Opens one; null for a port that is the control socket's alone.</summary>
    /// <param name="port">Which port, and with what.</param>
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
                // Nobody could know it otherwise.
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
