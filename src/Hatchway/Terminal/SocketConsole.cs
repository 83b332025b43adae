using System.Net;
using System.Net.Sockets;
using Hatchway.Linux;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Virtio.Devices;

namespace Hatchway.Terminal;

/// <summary>A server, on TCP or a file's socket, as the far end of a port, for one client at a time; a second one is sent away, as
/// bhyve(8) does.</summary>
/// <remarks>
/// The guest runs with or without a client. Output is sent by who makes it, and dropped when nobody is there. When a client does not read,
/// a serial port's output is dropped, too, since that would keep a vCPU; a console device's waits. Connections and input are a thread's of
/// their own.
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

    // What was read and not yet handed on.
    private int _start;
    private int _end;

    // Written by the thread, read by vCPUs; a vCPU may meet it just when it is disposed.
    private volatile Socket? _client;

    // Set by who sends, before it tries: whether the thread is to tell of room.
    private volatile bool _isFull;

    private SocketConsole(Socket listener, string? file) => (_listener, _file) = (listener, file);

    /// <summary>Told when a client has come, and when it has gone; by the thread.</summary>
    public Action<bool>? Connected { get; init; }

    /// <summary>Told when a client takes more again, or is gone; by the thread.</summary>
    public Action? Drained { get; init; }

    /// <summary>Listens at an address.</summary>
    /// <exception cref="UserException">It is none of this host's, or is in use.</exception>
    public static SocketConsole AtAddress(IPEndPoint address, string origin) =>
        new(Listen(new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp), address, origin), null);

    /// <summary>Listens at a file, which is gone at the end. One that a killed process has left is replaced.</summary>
    /// <param name="path">The file.</param>
    /// <param name="origin">What the user typed, for messages.</param>
    /// <param name="connected">Told when a client has come, and when it has gone; by the thread.</param>
    /// <param name="drained">Told when a client takes more again, or is gone; by the thread.</param>
    /// <exception cref="UserException">The file can't be made, or is another's.</exception>
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
        // The client may have made room before the flag was set, of which nobody would tell: so try once more.
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
        // Any file that is no socket refuses, too; to open one gives ENXIO (open(2)).
        catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionRefused
            && !DeviceFile.CanOpen(path, out var errno) && errno == Errno.ENXIO)
        {
            File.Delete(path);
            return;
        }
        catch (SocketException)
        {
            // The same answer as to one that listens.
        }
        throw new UserException(
            $"{origin}: {path} is there already, and is no socket that a guest has left: give another path, or remove it");
    }

    // How many bytes a client took; all when there is none, or none any more.
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
            // The client left in this moment.
            return bytes.Length;
        }
    }

    private void Serve()
    {
        using var epoll = Epoll.Create();
        epoll.TryAdd(_feed.Stopped, Stop);
        epoll.TryAdd(_feed.HasRoom, Room, edge: true);
        // Told once, so that a host without descriptors for one more client does not keep the thread busy.
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
            // After it: a client that comes as another goes is not sent away.
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
                // It has gone, but its end of stream is behind input that the guest does not take.
                Leave(epoll, present);
            }
            socket.Blocking = false;
            if (socket.ProtocolType == ProtocolType.Tcp)
            {
                socket.NoDelay = true;
                // A client's host that is gone without a word does not keep the port for ever.
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
            // One that was gone before it was accepted; or there is none.
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

    // Hands on what comes until there is no more, or no room for it. False when the client is gone.
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
