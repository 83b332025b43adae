using Hatchway.Linux;
using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>A guest's com1 for who comes later, by <c>hatchway console</c>: one client at a time,
/// which first sees what was said last.</summary>
/// <remarks>
/// It outlasts the port, which is made anew when the guest starts again. <c>_gate</c> guards all but the waiting; it is held while a client
/// that does not read is given what it has room for, and never longer.
/// </remarks>
internal sealed class AttachedConsole : ICharacterSink
{
    /// <summary>Bytes of what was said last that a client sees.</summary>
    public const int HistoryBytes = 16 << 10;

    // What a guest does not take by then is lost, as with any port that is not read: else a client that leaves would not be noticed.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly object _gate = new();
    private readonly byte[] _history = new byte[HistoryBytes];
    private long _said;
    private ICharacterInput? _port;
    private UnixConnection? _client;
    private bool _isTaken;
    private bool _hasRoom;

    // The guest took nothing for so long that it is not waited for until it does.
    private bool _isStuck;

    /// <summary>The port that typed characters go to; null while there is none, when they are dropped.</summary>
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

    /// <summary>The port has room again. Any thread.</summary>
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
            // What there is no room for is dropped: the guest does not wait for a reader.
            _client?.SendWithoutWaiting(bytes);
        }
    }

    /// <summary>Takes the console for a client.</summary>
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

    /// <summary>Serves the client that the console was taken for, until it leaves.</summary>
    /// <param name="client">The client.</param>
    /// <param name="answer">What it is told first: that it has the console.</param>
    /// <exception cref="LinuxException">The client has gone without leaving.</exception>
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

    // The oldest first. A client that has just come has room for it.
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
            // Not under the lock: the port says something under its own.
            lock (_gate)
                _hasRoom = false;
            bytes = bytes[port.Receive(bytes)..];
            if (bytes.Length > 0 && !WaitForRoom())
                return;
        }
    }
}
