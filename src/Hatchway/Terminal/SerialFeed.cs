using Hatchway.Linux;
using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>A thread that passes input to a serial port, never more than the port has room for.</summary>
internal sealed class SerialFeed : IDisposable
{
    private const int Room = 1;
    private const int Stop = 2;

    private readonly EventFd _room = EventFd.Create();
    private readonly EventFd _stop = EventFd.Create();
    private readonly Epoll _roomOrStop = Epoll.Create();
    private ICharacterInput? _port;
    private Thread? _thread;

    public SerialFeed()
    {
        _roomOrStop.TryAdd(_room, Room);
        _roomOrStop.TryAdd(_stop, Stop);
    }

    /// <summary>Becomes readable when the thread must end.</summary>
    public FileDescriptor Stopped => _stop;

    /// <summary>Becomes readable when the port has room again after <see cref="Offer"/> left a rest.</summary>
    public FileDescriptor HasRoom => _room;

    /// <summary>Notes that the port has room again. Any thread.</summary>
    public void SignalRoom() => _room.Signal();

    /// <summary>Starts the thread.</summary>
    public void Start(string name, ICharacterInput port, ThreadStart loop)
    {
        _port = port;
        _thread = new Thread(loop) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Passes to the port what it has room for. On the thread.</summary>
    /// <returns>How many bytes it took.</returns>
    public int Offer(ReadOnlySpan<byte> bytes)
    {
        _room.Take();
        return _port!.Receive(bytes);
    }

    /// <summary>Passes everything to the port, waiting for room. On the thread.</summary>
    /// <returns>False when the thread must end.</returns>
    public bool Feed(ReadOnlySpan<byte> bytes)
    {
        Span<int> tokens = stackalloc int[2];
        while (bytes.Length > 0)
        {
            bytes = bytes[Offer(bytes)..];
            if (bytes.Length > 0 && tokens[.._roomOrStop.Wait(tokens, Timeout.InfiniteTimeSpan)].Contains(Stop))
                return false;
        }
        return true;
    }

    /// <summary>Ends the thread.</summary>
    public void Dispose()
    {
        _stop.Signal();
        _thread?.Join();
        _roomOrStop.Dispose();
        _room.Dispose();
        _stop.Dispose();
    }
}
