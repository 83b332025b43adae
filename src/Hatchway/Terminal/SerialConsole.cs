using Hatchway.Linux;
using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>Standard input and output as the far end of a serial port. A terminal is in raw mode meanwhile; Ctrl-A x ends the
/// guest.</summary>
/// <remarks>
/// Output is written by the vCPU that sends it. Input is read by a thread of its own, never more than the port has room for: what the
/// guest does not take stays with whoever types or pipes it.
/// </remarks>
internal sealed class SerialConsole : ICharacterSink, IDisposable
{
    private const byte Escape = 0x01;
    private const int Input = 1;
    private const int Room = 2;
    private const int Stop = 3;

    private readonly FileDescriptor _input;
    private readonly FileDescriptor _output;
    private readonly Action _end;
    private readonly RawTerminal? _terminal;
    private readonly EventFd _room = EventFd.Create();
    private readonly EventFd _stop = EventFd.Create();
    private readonly byte[] _read = new byte[64];
    private Uart16550? _port;
    private Thread? _thread;
    private bool _escaped;

    /// <param name="input">What is typed.</param>
    /// <param name="output">What is shown.</param>
    /// <param name="end">Called for Ctrl-A x.</param>
    public SerialConsole(FileDescriptor input, FileDescriptor output, Action end)
    {
        (_input, _output, _end) = (input, output, end);
        _terminal = RawTerminal.TryEnter(input);
    }

    /// <summary>To be called when the port has room again. Any thread.</summary>
    public void SignalRoom() => _room.Signal();

    /// <summary>Begins to feed a port.</summary>
    public void Start(Uart16550 port)
    {
        _port = port;
        _thread = new Thread(ReadInput) { Name = "console", IsBackground = true };
        _thread.Start();
    }

    public void Write(byte value) => _output.TryWrite([value]);

    public void Dispose()
    {
        _stop.Signal();
        _thread?.Join();
        _terminal?.Dispose();
        _room.Dispose();
        _stop.Dispose();
    }

    private void ReadInput()
    {
        using var input = Epoll.Create();
        using var room = Epoll.Create();
        input.TryAdd(_stop, Stop);
        room.TryAdd(_stop, Stop);
        room.TryAdd(_room, Room);
        // A regular file can't be waited for: it is always ready.
        var limit = input.TryAdd(_input, Input) ? Timeout.InfiniteTimeSpan : TimeSpan.Zero;
        while (!IsStopped(input, limit) && Pump(room))
        {
        }
    }

    // Reads once and hands all of it on. False at the end of input, or when it is time to stop.
    private bool Pump(Epoll room)
    {
        int count;
        try
        {
            count = _input.Read(_read);
        }
        catch (LinuxException)
        {
            // A terminal that has gone away is the end of input.
            return false;
        }
        if (count == 0)
            return false;
        var keys = _terminal is null ? _read.AsSpan(0, count) : Unescape(_read.AsSpan(0, count));
        while (keys.Length > 0)
        {
            _room.Take();
            keys = keys[_port!.Receive(keys)..];
            if (keys.Length > 0 && IsStopped(room, Timeout.InfiniteTimeSpan))
                return false;
        }
        return true;
    }

    // Ctrl-A x ends, Ctrl-A Ctrl-A is one Ctrl-A, and Ctrl-A before anything else is dropped.
    private Span<byte> Unescape(Span<byte> keys)
    {
        var kept = 0;
        foreach (var key in keys)
        {
            if (_escaped)
            {
                _escaped = false;
                if (key == (byte)'x')
                    _end();
                else
                    keys[kept++] = key;
            }
            else if (key == Escape)
            {
                _escaped = true;
            }
            else
            {
                keys[kept++] = key;
            }
        }
        return keys[..kept];
    }

    private static bool IsStopped(Epoll epoll, TimeSpan limit)
    {
        Span<int> tokens = stackalloc int[2];
        return tokens[..epoll.Wait(tokens, limit)].Contains(Stop);
    }
}
