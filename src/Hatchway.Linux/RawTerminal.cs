using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>A terminal in raw mode, which delivers every key as it is typed (termios(3), cfmakeraw). Disposing, or an unhandled exception,
/// restores it.</summary>
public sealed class RawTerminal : IDisposable
{
    private readonly FileDescriptor _terminal;
    private readonly termios _before;
    private int _restored;

    private RawTerminal(FileDescriptor terminal, termios before)
    {
        (_terminal, _before) = (terminal, before);
        AppDomain.CurrentDomain.UnhandledException += Restore;
    }

    /// <summary>Switches a terminal to raw mode.</summary>
    /// <returns>Null when the file is not a terminal.</returns>
    public static unsafe RawTerminal? TryEnter(FileDescriptor terminal)
    {
        ArgumentNullException.ThrowIfNull(terminal);
        using var use = terminal.Use();
        termios before;
        // SAFETY: structures on the stack, each as large as the C library's (tested).
        if (Libc.tcgetattr(use.Fd, &before) != 0)
            return null;
        var raw = before;
        Libc.cfmakeraw(&raw);
        LinuxException.Check(Libc.tcsetattr(use.Fd, Libc.TCSANOW, &raw), "tcsetattr");
        return new RawTerminal(terminal, before);
    }

    /// <summary>Restores the terminal's settings, once. Any thread may call.</summary>
    public unsafe void Dispose()
    {
        if (Interlocked.Exchange(ref _restored, 1) != 0)
            return;
        AppDomain.CurrentDomain.UnhandledException -= Restore;
        using var use = _terminal.Use();
        var before = _before;
        // SAFETY: one structure, on the stack. The result is ignored: a terminal that is gone needs no restoring.
        _ = Libc.tcsetattr(use.Fd, Libc.TCSANOW, &before);
    }

    private void Restore(object sender, UnhandledExceptionEventArgs failure) => Dispose();
}
