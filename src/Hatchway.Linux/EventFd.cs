using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>A kernel counter that threads can wait for (eventfd(2)); it signals interrupts and requests to stop.</summary>
public sealed class EventFd : FileDescriptor
{
    private EventFd(int fd)
        : base(fd)
    {
    }

    /// <summary>Makes an eventfd with count 0 whose reads don't block.</summary>
    /// <exception cref="LinuxException">The process has too many open files.</exception>
    public static EventFd Create() =>
        new(LinuxException.Check(Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK), "eventfd"));

    /// <summary>Makes several, or none when one of them fails.</summary>
    /// <exception cref="LinuxException">The process has too many open files.</exception>
    public static EventFd[] Create(int count)
    {
        var made = new EventFd[count];
        var i = 0;
        try
        {
            for (; i < count; i++)
                made[i] = Create();
        }
        catch
        {
            while (i > 0)
                made[--i].Dispose();
            throw;
        }
        return made;
    }

    /// <summary>True when the count is not zero. The count stays.</summary>
    public bool IsSignalled => Wait(TimeSpan.Zero);

    /// <summary>Adds one to the count.</summary>
    public unsafe void Signal()
    {
        using var use = Use();
        var one = 1ul;
        // SAFETY: eight bytes, on the stack. The only failure, a count at its maximum, leaves the eventfd signalled.
        _ = Libc.write(use.Fd, &one, sizeof(ulong));
    }

    /// <summary>Reads the count and sets it to zero.</summary>
    /// <returns>The count; 0 when the eventfd was not signalled.</returns>
    public unsafe ulong Take()
    {
        using var use = Use();
        var count = 0ul;
        // SAFETY: eight bytes, on the stack. An eventfd at zero leaves them as they are (EAGAIN).
        _ = Libc.read(use.Fd, &count, sizeof(ulong));
        return count;
    }

    /// <summary>Waits until the count is not zero. The count stays.</summary>
    /// <param name="limit">How long at most; negative waits for ever.</param>
    /// <returns>False when the time ran out.</returns>
    public bool Wait(TimeSpan limit) => WaitFor(Libc.POLLIN, limit);
}
