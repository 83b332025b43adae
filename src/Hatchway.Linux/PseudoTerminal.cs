using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>A pseudo-terminal pair (pty(7)): what is written to one end is read from the other. This object is the near end.</summary>
/// <remarks>It also holds the far end open, in raw mode, so that the pair keeps its settings and stays usable while no program has it
/// open.</remarks>
public sealed class PseudoTerminal : FileDescriptor
{
    private readonly FileDescriptor _far;

    private PseudoTerminal(int near, FileDescriptor far, string name)
        : base(near)
    {
        (_far, Name) = (far, name);
        RawTerminal.TryEnter(far);
    }

    /// <summary>The far end's path, as /dev/pts/3.</summary>
    public string Name { get; }

    /// <summary>Makes a pair. Writing to the near end does not block.</summary>
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
            // SAFETY: the kernel's path fits the buffer, or the call fails.
            var errno = Libc.ptsname_r(near, name, Longest);
            if (errno != 0)
                throw new LinuxException("ptsname", (Errno)errno);
            var path = Marshal.PtrToStringUTF8((nint)name)!;
            return new PseudoTerminal(near, OpenTerminal(path), path);
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
