using System.Net.Sockets;
using System.Runtime.InteropServices;
using Hatchway.Linux;
using Hatchway.Terminal;

namespace Hatchway.Control;

/// <summary><c>hatchway console</c>: connects this terminal with a running guest's com1, until Ctrl-A x, the end of input,
/// or the guest's end.</summary>
internal static class ConsoleCommand
{
    private const int Typed = 1;
    private const int Said = 2;

    /// <summary>Connects standard input and output with a guest's console.</summary>
    /// <param name="connection">A connection to the guest's control socket on which the guest has granted its console.</param>
    public static void Join(Socket connection)
    {
        using var terminal = RawTerminal.TryEnter(FileDescriptor.StandardInput);
        using var end = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => terminal?.Dispose());
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, _ => terminal?.Dispose());
        var keys = terminal is null ? null : new EscapeKeys();
        using var epoll = Epoll.Create();
        epoll.TryAdd(FileDescriptor.Borrow(connection.SafeHandle), Said);
        // A regular file is always readable, and epoll does not take it.
        var isFile = !epoll.TryAdd(FileDescriptor.StandardInput, Typed);
        Span<int> tokens = stackalloc int[2];
        Span<byte> bytes = stackalloc byte[1024];
        connection.ReceiveTimeout = connection.SendTimeout = 0;
        try
        {
            while (!isFile || Send(connection, bytes, keys))
            {
                var ready = tokens[..epoll.Wait(tokens, isFile ? TimeSpan.Zero : Timeout.InfiniteTimeSpan)];
                if (ready.Contains(Said) && !Show(connection, bytes))
                    return;
                if (ready.Contains(Typed) && !Send(connection, bytes, keys))
                    return;
            }
        }
        catch (SocketException)
        {
            // The guest has ended.
        }
    }

    private static bool Show(Socket connection, Span<byte> bytes)
    {
        var count = connection.Receive(bytes);
        return count > 0 && FileDescriptor.StandardOutput.TryWrite(bytes[..count]);
    }

    private static bool Send(Socket connection, Span<byte> bytes, EscapeKeys? keys)
    {
        var typed = bytes[..FileDescriptor.StandardInput.Read(bytes)];
        if (typed.Length == 0)
            return false;
        var isEnd = false;
        if (keys is not null)
            typed = keys.Filter(typed, out isEnd);
        while (typed.Length > 0)
            typed = typed[connection.Send(typed)..];
        return !isEnd;
    }
}
