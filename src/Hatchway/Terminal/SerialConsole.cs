using Hatchway.Linux;
using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>Standard input and output, or a terminal of the host's, as the far end of a serial port. A terminal is in raw mode
/// meanwhile.</summary>
/// <remarks>
/// Output is written by the vCPU that sends it, which waits for the reader, but no longer than the guest lives. Input is read by a thread of its own, never more than the port has room for: what the
/// guest does not take stays with whoever types or pipes it.
/// </remarks>
internal sealed class SerialConsole : ISerialPeer
{
    private const int Input = 1;
    private const int Stop = 2;

    private readonly FileDescriptor _input;
    private readonly FileDescriptor _output;
    private readonly Action? _end;
    private readonly FileDescriptor? _ended;
    private readonly IDisposable? _owned;
    private readonly RawTerminal? _terminal;
    private readonly SerialFeed _feed = new();
    private readonly byte[] _read = new byte[64];
    private readonly EscapeKeys _keys = new();

    private SerialConsole(FileDescriptor input, FileDescriptor output, Action? end, FileDescriptor? ended, IDisposable? owned)
    {
        (_input, _output, _end, _ended, _owned) = (input, output, end, ended, owned);
        _terminal = RawTerminal.TryEnter(input);
    }

    /// <summary>This process's own streams. Output waits for whoever reads it: nothing of what a guest says gets lost in a pipe.</summary>
    /// <param name="input">What is typed.</param>
    /// <param name="output">What is shown.</param>
    /// <param name="end">Called for Ctrl-A x, when the input is a terminal.</param>
    /// <param name="ended">Readable once the guest has ended, which waits for no reader then.</param>
    public static SerialConsole OnStreams(FileDescriptor input, FileDescriptor output, Action end, FileDescriptor ended) =>
        new(input, output, end, ended, owned: null);

    /// <summary>A terminal that is this console's alone, and is closed with it. Output for which there is no room is dropped, so that the
    /// guest does not wait for a reader who may never come.</summary>
    public static SerialConsole OnTerminal(FileDescriptor terminal) => new(terminal, terminal, end: null, ended: null, terminal);

    public void SignalRoom() => _feed.SignalRoom();

    public void Start(ICharacterInput port) => _feed.Start("console", port, ReadInput);

    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (_owned is null)
            _output.TryWrite(bytes, _ended);
        else
            _output.WriteWithoutWaiting(bytes);
    }

    public void Dispose()
    {
        // First: who reads the end of a guest's console wants to type again, whatever its thread waits for.
        _terminal?.Dispose();
        _feed.Dispose();
        _owned?.Dispose();
    }

    private void ReadInput()
    {
        using var input = Epoll.Create();
        input.TryAdd(_feed.Stopped, Stop);
        // A regular file can't be waited for: it is always ready.
        var limit = input.TryAdd(_input, Input) ? Timeout.InfiniteTimeSpan : TimeSpan.Zero;
        Span<int> tokens = stackalloc int[2];
        while (!tokens[..input.Wait(tokens, limit)].Contains(Stop) && Pump())
        {
        }
    }

    // Reads once and hands all of it on. False at the end of input, or when it is time to stop.
    private bool Pump()
    {
        int count;
        try
        {
            count = _input.Read(_read);
        }
        catch (LinuxException failure)
        {
            // A terminal that has gone away is the end of input; one that somebody else has read empty is not.
            return failure.Errno == Errno.EAGAIN;
        }
        if (count == 0)
            return false;
        if (_terminal is null || _end is null)
            return _feed.Feed(_read.AsSpan(0, count));
        var typed = _keys.Filter(_read.AsSpan(0, count), out var isEnd);
        if (isEnd)
            _end();
        return _feed.Feed(typed);
    }
}
