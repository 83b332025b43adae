using Hatchway.Linux;
using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>A guest's com1 for clients that attach later, by <c>hatchway console</c>. It has one client at a time,
/// which first gets the latest output.</summary>
/// <remarks>
/// It outlasts the port, which is made anew when the guest restarts. <c>_gate</c> guards all fields. Output is sent to the client under
/// it, but never waits there for a client that does not read.
/// </remarks>
internal sealed class AttachedConsole : ICharacterSink
{
    /// <summary>Bytes of the latest output that a new client gets.</summary>
    public const int HistoryBytes = 16 << 10;

    // How long the guest may take to accept input, which is lost after that, as on any port that is not read. Without a bound, a client
    // that leaves meanwhile would not be noticed.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly object _gate = new();
    private readonly byte[] _history = new byte[HistoryBytes];
    private long _said;
    private ICharacterInput? _port;
    private UnixConnection? _client;
    private bool _isTaken;
    private bool _hasRoom;

    // The guest accepted nothing for so long that there is no waiting for it until it does.
    private bool _isStuck;

    /// <summary>The port that receives typed characters; while it is null they are dropped.</summary>
    public ICharacterInput? Port
    {
        get
        {
            lock (_gate)
                return _port;
        }

        set
        {
            lock (_gate)
                _port = value;
            SignalRoom();
        }
    }

    /// <summary>Notes that the port has room again. Any thread.</summary>
    public void SignalRoom()
    {
        lock (_gate)
        {
            _hasRoom = true;
            _isStuck = false;
            Monitor.PulseAll(_gate);
        }
    }

    /// <inheritdoc/>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            foreach (var value in bytes)
                _history[_said++ % HistoryBytes] = value;
            // Output that does not fit at once is dropped: the guest must not wait for a reader.
            _client?.SendWithoutWaiting(bytes);
        }
    }

    /// <summary>Reserves the console for a client.</summary>
    /// <returns>False while another has it.</returns>
    public bool TryTake()
    {
        lock (_gate)
        {
            var isFree = !_isTaken;
            _isTaken = true;
            return isFree;
        }
    }

    /// <summary>Serves the client that the console was reserved for, until it leaves.</summary>
    /// <param name="client">The client.</param>
    /// <param name="answer">Sent first: tells the client that it has the console.</param>
    /// <exception cref="LinuxException">The connection failed.</exception>
    public void Serve(UnixConnection client, ReadOnlySpan<byte> answer)
    {
        try
        {
            client.Send(answer);
            client.WaitAtMost(TimeSpan.Zero);
            lock (_gate)
            {
                SendHistory(client);
                _client = client;
            }
            Span<byte> typed = stackalloc byte[64];
            while (client.Read(typed) is var count and > 0)
                Feed(typed[..count]);
        }
        finally
        {
            lock (_gate)
                (_client, _isTaken) = (null, false);
        }
    }

    // Oldest bytes first. A new connection has room for all of it.
    private void SendHistory(UnixConnection client)
    {
        var length = (int)Math.Min(_said, HistoryBytes);
        var start = (int)((_said - length) % HistoryBytes);
        var first = Math.Min(length, HistoryBytes - start);
        client.SendWithoutWaiting(_history.AsSpan(start, first));
        client.SendWithoutWaiting(_history.AsSpan(0, length - first));
    }

    private bool WaitForRoom()
    {
        lock (_gate)
        {
            if (!_hasRoom && !_isStuck)
                _isStuck = !Monitor.Wait(_gate, Patience) && !_hasRoom;
            return !_isStuck;
        }
    }

    private void Feed(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0 && Port is { } port)
        {
            // Not under the lock: the port writes output under a lock of its own.
            lock (_gate)
                _hasRoom = false;
            bytes = bytes[port.Receive(bytes)..];
            if (bytes.Length > 0 && !WaitForRoom())
                return;
        }
    }
}
