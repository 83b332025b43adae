using System.Net;
using System.Net.Sockets;
using Hatchway.Linux;
using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>A server, on TCP or a file's socket, as the far end of a port, for one client at a time; a second one is sent away, as
/// bhyve(8) does.</summary>
/// <remarks>
/// The guest runs with or without a client. Output is sent by the vCPU that makes it, and dropped when nobody is there or the client does not
/// read. Connections and input are a thread's of their own.
/// </remarks>
internal sealed class SocketConsole : ISerialPeer
{
    private const int Stop = 1;
    private const int Connection = 2;
    private const int Input = 3;

    private readonly SerialFeed _feed = new();
    private readonly Socket _listener;
    private readonly string? _file;
    private readonly byte[] _read = new byte[64];

    // Written by the thread, read by vCPUs; a vCPU may meet it just when it is disposed.
    private volatile Socket? _client;

    private SocketConsole(Socket listener, string? file) => (_listener, _file) = (listener, file);

    /// <summary>Told when a client has come, and when it has gone; by the thread.</summary>
    public Action<bool>? Connected { get; init; }

    /// <summary>Listens at an address.</summary>
    /// <exception cref="UserException">It is none of this host's, or is in use.</exception>
    public static SocketConsole AtAddress(IPEndPoint address, string origin) =>
        new(Listen(new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp), address, origin), null);

    /// <summary>Listens at a file, which is gone at the end. One that a killed process has left is replaced.</summary>
    /// <param name="path">The file.</param>
    /// <param name="origin">What the user typed, for messages.</param>
    /// <param name="connected">Told when a client has come, and when it has gone; by the thread.</param>
    /// <exception cref="UserException">The file can't be made, or is another's.</exception>
    public static SocketConsole AtFile(string path, string origin, Action<bool> connected)
    {
        try
        {
            var address = new UnixDomainSocketEndPoint(path);
            RemoveLeft(path, address, origin);
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            return new SocketConsole(Listen(socket, address, origin), path) { Connected = connected };
        }
        catch (ArgumentOutOfRangeException)
        {
            throw new UserException($"{origin}: the socket's path '{path}' is too long: a socket's has at most 107 bytes");
        }
    }

    public void SignalRoom() => _feed.SignalRoom();

    public void Start(ICharacterInput port) => _feed.Start("console", port, Serve);

    public void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _client?.Send(bytes, SocketFlags.None, out _);
        }
        catch (ObjectDisposedException)
        {
            // The client left in this moment.
        }
    }

    public void Dispose()
    {
        _feed.Dispose();
        _client?.Dispose();
        _listener.Dispose();
        if (_file is not null)
            File.Delete(_file);
    }

    private static Socket Listen(Socket socket, EndPoint address, string origin)
    {
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

    private void Serve()
    {
        using var epoll = Epoll.Create();
        epoll.TryAdd(_feed.Stopped, Stop);
        epoll.TryAdd(FileDescriptor.Borrow(_listener.SafeHandle), Connection);
        Span<int> tokens = stackalloc int[3];
        while (true)
        {
            var ready = tokens[..epoll.Wait(tokens, Timeout.InfiniteTimeSpan)];
            if (ready.Contains(Stop) || (ready.Contains(Input) && !Pump(epoll)))
                return;
            if (ready.Contains(Connection))
                Accept(epoll);
        }
    }

    private void Accept(Epoll epoll)
    {
        try
        {
            var socket = _listener.Accept();
            if (_client is not null)
            {
                socket.Dispose();
                return;
            }
            socket.Blocking = false;
            if (socket.ProtocolType == ProtocolType.Tcp)
                socket.NoDelay = true;
            epoll.TryAdd(FileDescriptor.Borrow(socket.SafeHandle), Input);
            _client = socket;
            Connected?.Invoke(true);
        }
        catch (SocketException)
        {
            // It was gone before it was accepted.
        }
    }

    // Reads once and hands all of it on. False when it is time to stop.
    private bool Pump(Epoll epoll)
    {
        var client = _client!;
        var count = client.Receive(_read, SocketFlags.None, out var error);
        if (error == SocketError.WouldBlock)
            return true;
        if (error == SocketError.Success && count > 0)
            return _feed.Feed(_read.AsSpan(0, count));
        _client = null;
        epoll.Remove(FileDescriptor.Borrow(client.SafeHandle));
        client.Dispose();
        Connected?.Invoke(false);
        return true;
    }
}
