using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Machine.Virtio.Devices;
using Hatchway.Terminal;

namespace Hatchway.Devices;

/// <summary>The host's ends of a console's ports, one socket each.</summary>
internal sealed class ConsoleSockets : IDisposable
{
    private readonly List<SocketConsole> _sockets = [];
    private readonly List<ConsolePort> _ports = [];
    private readonly List<(int Queue, FileDescriptor File)> _inputs = [];
    private readonly EventFd _told = EventFd.Create();

    /// <summary>Opens and listens on all sockets.</summary>
    /// <exception cref="UserException">A socket can't be made.</exception>
    public ConsoleSockets(IReadOnlyList<VirtioConsolePort> ports)
    {
        _inputs.Add((VirtioConsole.ControlQueue, _told));
        try
        {
            foreach (var port in ports)
                Add(port);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The guest's ends.</summary>
    public IReadOnlyList<ConsolePort> Ports => _ports;

    /// <summary>Eventfds that are readable when a queue has input.</summary>
    public IReadOnlyList<(int Queue, FileDescriptor File)> Inputs => _inputs;

    /// <summary>Asks for the control queue to the guest to be served. Any thread.</summary>
    public void Tell() => _told.Signal();

    public void Dispose()
    {
        foreach (var socket in _sockets)
            socket.Dispose();
        foreach (var (_, file) in _inputs)
            file.Dispose();
    }

    private void Add(VirtioConsolePort option)
    {
        var arrived = Input(VirtioConsole.ReceiveQueue(_ports.Count));
        var room = Input(VirtioConsole.TransmitQueue(_ports.Count));
        // The callback finds the port set: the thread that accepts clients starts last.
        ConsolePort? port = null;
        var socket = SocketConsole.AtFile(option.Path, option.Origin, isConnected => port!.SetConnected(isConnected), room.Signal);
        _sockets.Add(socket);
        _ports.Add(port = new ConsolePort(option.Name, socket, arrived.Signal, Tell, socket.SignalRoom));
        socket.Start(port);
    }

    private EventFd Input(int queue)
    {
        var file = EventFd.Create();
        _inputs.Add((queue, file));
        return file;
    }
}
