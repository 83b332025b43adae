using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>Waits for the first of several files to become readable (epoll(7)).</summary>
/// <remarks>One thread waits; any thread adds and removes.</remarks>
public sealed class Epoll : FileDescriptor
{
    private const uint EPOLLIN = 1;
    private const uint EPOLLOUT = 4;
    private const uint EPOLLET = 1u << 31;
    private const uint EPOLLEXCLUSIVE = 1u << 28;

    private Epoll(int fd)
        : base(fd)
    {
    }

    /// <summary>Makes an instance that watches nothing yet.</summary>
    /// <exception cref="LinuxException">The process has too many open files.</exception>
    public static Epoll Create() => new(LinuxException.Check(Libc.epoll_create1(Libc.EPOLL_CLOEXEC), "epoll_create1"));

    /// <summary>Watches a file.</summary>
    /// <param name="file">A pipe, terminal, socket or eventfd.</param>
    /// <param name="token">What <see cref="Wait"/> reports for this file.</param>
    /// <param name="exclusive">When several instances watch the file, one event wakes at least one of them, not all.</param>
    /// <param name="edge">Reports new input once, and does not repeat it for input that is left unread.</param>
    /// <param name="both">Reports room to write as well, with the same token; so use it with <paramref name="edge"/>.</param>
    /// <returns>False for a regular file, which is always readable and can't be watched.</returns>
    /// <exception cref="LinuxException">It is watched already, or a limit is reached.</exception>
    public unsafe bool TryAdd(FileDescriptor file, int token, bool exclusive = false, bool edge = false, bool both = false)
    {
        ArgumentNullException.ThrowIfNull(file);
        using var use = Use();
        using var watched = file.Use();
        var events = EPOLLIN | (both ? EPOLLOUT : 0) | (exclusive ? EPOLLEXCLUSIVE : 0) | (edge ? EPOLLET : 0);
        var entry = new epoll_event { events = events, data = (uint)token };
        // SAFETY: one structure, on the stack; the kernel copies it.
        if (Libc.epoll_ctl(use.Fd, Libc.EPOLL_CTL_ADD, watched.Fd, &entry) == 0)
            return true;
        if (LinuxException.Last != Errno.EPERM)
            LinuxException.Throw("epoll_ctl");
        return false;
    }

    /// <summary>Stops watching a file.</summary>
    /// <exception cref="LinuxException">It is not watched.</exception>
    public unsafe void Remove(FileDescriptor file)
    {
        ArgumentNullException.ThrowIfNull(file);
        using var use = Use();
        using var watched = file.Use();
        // SAFETY: no structure is needed to remove.
        LinuxException.Check(Libc.epoll_ctl(use.Fd, Libc.EPOLL_CTL_DEL, watched.Fd, null), "epoll_ctl");
    }

    /// <summary>Waits for a file to be readable or hung up.</summary>
    /// <param name="tokens">Filled with the tokens of the files that are.</param>
    /// <param name="limit">How long at most; negative waits for ever.</param>
    /// <returns>How many tokens; 0 when the time ran out.</returns>
    public unsafe int Wait(Span<int> tokens, TimeSpan limit)
    {
        const int Most = 16;
        using var use = Use();
        var events = stackalloc epoll_event[Most];
        var end = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (true)
        {
            var left = limit < TimeSpan.Zero ? -1 : (int)Math.Clamp(end - Environment.TickCount64, 0, int.MaxValue);
            // SAFETY: the array has at least as many entries as the kernel is told.
            var count = Libc.epoll_wait(use.Fd, events, Math.Min(tokens.Length, Most), left);
            for (var i = 0; i < count; i++)
                tokens[i] = (int)events[i].data;
            if (count >= 0)
                return count;
            if (LinuxException.Last != Errno.EINTR)
                LinuxException.Throw("epoll_wait");
        }
    }
}
