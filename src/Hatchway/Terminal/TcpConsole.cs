using System.Net;
using System.Net.Sockets;
using Hatchway.Linux;
using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>A TCP server as the far end of a serial port, for one client at a time; a second one is sent away, as bhyve(8) does.</summary>
/// <remarks>
/// The guest runs with or without a client. Output is sent by the vCPU that makes it, and dropped when nobody is there or the client does not
/// read. Connections and input are a thread's of their own.
/// </remarks>
internal sealed class TcpConsole : ISerialPeer
{
    private const int Stop = 1;
    private const int Connection = 2;
    private const int Input = 3;

    private readonly SerialFeed _feed = new();
    private readonly Socket _listener;
    private readonly byte[] _read = new byte[64];

    // Written by the thread, read by vCPUs; a vCPU may meet it just when it is disposed.
    private volatile Socket? _client;

    /// <summary>Listens.</summary>
    /// <exception cref="UserException">The address is none of this host's, or is in use.</exception>
    public TcpConsole(IPEndPoint address, string origin)
    {
        _listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
        try
        {
            _listener.Bind(address);
            _listener.Listen(1);
        }
        catch (SocketException failure)
        {
            Dispose();
            throw new UserException($"{origin}: can't listen at {address}: {failure.Message}");
        }
    }

    public void SignalRoom() => _feed.SignalRoom();

    public void Start(Uart16550 port) => _feed.Start("console", port, Serve);

    public void Write(byte value)
    {
        try
        {
            _client?.Send([value], SocketFlags.None, out _);
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
            socket.NoDelay = true;
            epoll.TryAdd(FileDescriptor.Borrow(socket.SafeHandle), Input);
            _client = socket;
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
        return true;
    }
}
