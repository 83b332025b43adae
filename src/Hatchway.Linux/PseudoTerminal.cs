using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>A pair of terminals (pty(7)): what is written to one is read from the other. Its near end is this object.</summary>
/// <remarks>The far end is held open, too, in raw mode: so it keeps its settings, and stays usable while no program has it open.</remarks>
public sealed class PseudoTerminal : FileDescriptor
{
    private readonly FileDescriptor _far;

    private PseudoTerminal(int near, string name)
        : base(near)
    {
        Name = name;
        _far = OpenTerminal(name);
        RawTerminal.TryEnter(_far);
    }

    /// <summary>The far end's path, as /dev/pts/3.</summary>
    public string Name { get; }

    /// <summary>Makes a pair. The near end does not wait for room.</summary>
    /// <exception cref="LinuxException">The host has no more of them, or no /dev/pts.</exception>
    public static unsafe PseudoTerminal Create()
    {
        const int Longest = 64;
        var near = LinuxException.Check(Libc.posix_openpt(Libc.O_RDWR | Libc.O_NOCTTY | Libc.O_NONBLOCK | Libc.O_CLOEXEC), "posix_openpt");
        try
        {
            LinuxException.Check(Libc.grantpt(near), "grantpt");
            LinuxException.Check(Libc.unlockpt(near), "unlockpt");
            var name = stackalloc byte[Longest];
            // SAFETY: the kernel's path is shorter than the buffer, or the call fails and says so.
            var errno = Libc.ptsname_r(near, name, Longest);
            return errno == 0
                ? new PseudoTerminal(near, Marshal.PtrToStringUTF8((nint)name)!)
                : throw new LinuxException("ptsname", (Errno)errno);
        }
        catch (LinuxException)
        {
            _ = Libc.close(near);
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _far.Dispose();
        base.Dispose(disposing);
    }
}
