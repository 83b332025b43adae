using Hatchway.Linux;
using Hatchway.Machine.Devices;

namespace Hatchway.Terminal;

/// <summary>Standard input and output, or a terminal of the host, as a serial port's far end. A terminal is in raw mode
/// meanwhile.</summary>
/// <remarks>
/// The vCPU that sends output writes it, and waits for room, but no longer than the guest lives. A thread reads input, never more than the
/// port has room for: input that the guest does not accept stays in the terminal or pipe.
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

    /// <summary>Makes a console of this process's own streams. Output waits for its reader, so that a pipe loses none.</summary>
    /// <param name="input">The input stream.</param>
    /// <param name="output">The output stream.</param>
    /// <param name="end">Called for Ctrl-A x, when the input is a terminal.</param>
    /// <param name="ended">Readable once the guest has ended, which waits for no reader then.</param>
    public static SerialConsole OnStreams(FileDescriptor input, FileDescriptor output, Action end, FileDescriptor ended) =>
        new(input, output, end, ended, owned: null);

    /// <summary>Makes a console of a terminal, which it owns. Output that does not fit is dropped, so that the guest does not wait for a
    /// reader that may never come.</summary>
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
        // First restore the terminal, whatever the thread waits for: the user wants to type again.
        _terminal?.Dispose();
        _feed.Dispose();
        _owned?.Dispose();
    }

    private void ReadInput()
    {
        using var input = Epoll.Create();
        input.TryAdd(_feed.Stopped, Stop);
        // A regular file is always readable, and epoll does not take it.
        var limit = input.TryAdd(_input, Input) ? Timeout.InfiniteTimeSpan : TimeSpan.Zero;
        Span<int> tokens = stackalloc int[2];
        while (!tokens[..input.Wait(tokens, limit)].Contains(Stop) && Pump())
        {
        }
    }

    // Reads once and passes everything on. False at the end of input, or when the thread must stop.
    private bool Pump()
    {
        int count;
        try
        {
            count = _input.Read(_read);
        }
        catch (LinuxException failure)
        {
            // A failing terminal means the end of input; EAGAIN means that another process has read the input first.
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
