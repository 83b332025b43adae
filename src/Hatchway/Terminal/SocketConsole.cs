using System.Net;
using System.Net.Sockets;
using Hatchway.Linux;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Virtio.Devices;

namespace Hatchway.Terminal;

/// <summary>A server, on TCP or a Unix socket, as a port's far end. It has one client at a time and turns away a second one, as
/// bhyve(8) does.</summary>
/// <remarks>
/// The guest runs with or without a client. The thread that produces output sends it, and drops it when there is no client. When a client
/// does not read, a serial port's output is dropped, too, since waiting would block a vCPU; a console device's output waits. A thread of
/// its own accepts connections and reads input.
/// </remarks>
internal sealed class SocketConsole : ISerialPeer, IPortClient
{
    private const int Stop = 1;
    private const int Connection = 2;
    private const int Client = 3;
    private const int Room = 4;

    private readonly SerialFeed _feed = new();
    private readonly Socket _listener;
    private readonly string? _file;
    private readonly byte[] _read = new byte[4096];

    // Input that was read and not passed on yet.
    private int _start;
    private int _end;

    // Written by the thread, read by vCPUs; a vCPU may use it just as it is disposed.
    private volatile Socket? _client;

    // Set by a sender before it retries: tells the thread to report room.
    private volatile bool _isFull;

    private SocketConsole(Socket listener, string? file) => (_listener, _file) = (listener, file);

    /// <summary>Called by the thread when a client has come, and when it has gone.</summary>
    public Action<bool>? Connected { get; init; }

    /// <summary>Called by the thread when a client has room again, or has gone.</summary>
    public Action? Drained { get; init; }

    /// <summary>Listens at an address.</summary>
    /// <exception cref="UserException">The address is not this host's, or is in use.</exception>
    public static SocketConsole AtAddress(IPEndPoint address, string origin) =>
        new(Listen(new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp), address, origin), null);

    /// <summary>Listens on a socket file, which is removed at the end. A file that a killed process left is replaced.</summary>
    /// <param name="path">The file.</param>
    /// <param name="origin">What the user typed, for messages.</param>
    /// <param name="connected">Called by the thread when a client has come, and when it has gone.</param>
    /// <param name="drained">Called by the thread when a client has room again, or has gone.</param>
    /// <exception cref="UserException">The file can't be made, or belongs to something else.</exception>
    public static SocketConsole AtFile(string path, string origin, Action<bool> connected, Action drained)
    {
        try
        {
            var address = new UnixDomainSocketEndPoint(path);
            RemoveLeft(path, address, origin);
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            return new SocketConsole(Listen(socket, address, origin), path) { Connected = connected, Drained = drained };
        }
        catch (ArgumentOutOfRangeException)
        {
            throw new UserException(
                $"{origin}: the socket's path '{path}' is too long: a socket's has at most {UnixListener.MaximumPath} bytes");
        }
    }

    public void SignalRoom() => _feed.SignalRoom();

    public void Start(ICharacterInput port) => _feed.Start("console", port, Serve);

    public void Write(ReadOnlySpan<byte> bytes) => Send(bytes);

    public int Take(ReadOnlySpan<byte> bytes)
    {
        var sent = Send(bytes);
        if (sent == bytes.Length)
            return sent;
        // The client may have made room before the flag was set, which the thread would not report: so try once more.
        _isFull = true;
        return sent + Send(bytes[sent..]);
    }

    public void Dispose()
    {
        _feed.Dispose();
        _client?.Dispose();
        _listener.Dispose();
        if (_file is not null)
            LeftFile.Delete(_file);
    }

    private static Socket Listen(Socket socket, EndPoint address, string origin)
    {
        LateLibraries.LoadForSockets();
        try
        {
            socket.Blocking = false;
            socket.Bind(address);
            socket.Listen(1);
            return socket;
        }
        catch (SocketException failure)
        {
            socket.Dispose();
            throw new UserException($"{origin}: can't listen at {address}: {failure.Message}");
        }
    }

    private static void RemoveLeft(string path, UnixDomainSocketEndPoint address, string origin)
    {
        if (!Path.Exists(path))
            return;
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(address);
        }
        // A file that is not a socket refuses the connection, too; opening a socket gives ENXIO (open(2)).
        catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionRefused
            && !DeviceFile.CanOpen(path, out var errno) && errno == Errno.ENXIO)
        {
            File.Delete(path);
            return;
        }
        catch (SocketException)
        {
            // Refused in the same way as a socket that something listens on.
        }
        throw new UserException(
            $"{origin}: {path} is there already, and is no socket that a guest has left: give another path, or remove it");
    }

    // Returns how many bytes the client took; all of them when there is no client, or it has just gone.
    private int Send(ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (_client is not { } client)
                return bytes.Length;
            var sent = client.Send(bytes, SocketFlags.None, out var error);
            return error switch
            {
                SocketError.Success => sent,
                SocketError.WouldBlock => 0,
                _ => bytes.Length,
            };
        }
        catch (ObjectDisposedException)
        {
            // The client has just left.
            return bytes.Length;
        }
    }

    private void Serve()
    {
        using var epoll = Epoll.Create();
        epoll.TryAdd(_feed.Stopped, Stop);
        epoll.TryAdd(_feed.HasRoom, Room, edge: true);
        // Edge-triggered, so that a host without descriptors for another client does not keep the thread busy.
        epoll.TryAdd(FileDescriptor.Borrow(_listener.SafeHandle), Connection, edge: true);
        Span<int> tokens = stackalloc int[4];
        while (true)
        {
            var ready = tokens[..epoll.Wait(tokens, Timeout.InfiniteTimeSpan)];
            if (ready.Contains(Stop))
                return;
            if (ready.Contains(Client))
                TellOfRoom();
            if (_client is { } client && !Pump(client))
                Leave(epoll, client);
            // After the pump, so that a client that comes just as another goes is not turned away.
            if (ready.Contains(Connection))
            {
                while (TryAccept(epoll))
                {
                }
            }
        }
    }

    private bool TryAccept(Epoll epoll)
    {
        try
        {
            var socket = _listener.Accept();
            if (_client is { } present)
            {
                if (!FileDescriptor.Borrow(present.SafeHandle).IsLeft)
                {
                    socket.Dispose();
                    return true;
                }
                // The client has gone, but its end of stream is behind input that the guest does not accept.
                Leave(epoll, present);
            }
            socket.Blocking = false;
            if (socket.ProtocolType == ProtocolType.Tcp)
            {
                socket.NoDelay = true;
                // So that a client whose host vanished without a word does not keep the port for ever.
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            }
            epoll.TryAdd(FileDescriptor.Borrow(socket.SafeHandle), Client, edge: true, both: true);
            (_start, _end) = (0, 0);
            _client = socket;
            Connected?.Invoke(true);
            return true;
        }
        catch (SocketException e)
        {
            // Aborted: the client left before it was accepted. Otherwise there is none.
            return e.SocketErrorCode == SocketError.ConnectionAborted;
        }
    }

    private void TellOfRoom()
    {
        if (!_isFull)
            return;
        _isFull = false;
        Drained?.Invoke();
    }

    // Passes input on until there is none, or no room. False when the client has gone.
    private bool Pump(Socket client)
    {
        while (true)
        {
            _start += _feed.Offer(_read.AsSpan(_start, _end - _start));
            if (_start < _end)
                return true;
            var count = client.Receive(_read, SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
                return true;
            if (error != SocketError.Success || count == 0)
                return false;
            (_start, _end) = (0, count);
        }
    }

    private void Leave(Epoll epoll, Socket client)
    {
        _client = null;
        epoll.Remove(FileDescriptor.Borrow(client.SafeHandle));
        client.Dispose();
        Connected?.Invoke(false);
        TellOfRoom();
    }
}
