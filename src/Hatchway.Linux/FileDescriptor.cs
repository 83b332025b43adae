using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>An open file descriptor. Disposing closes it.</summary>
/// <remarks>Calls may come from any thread; a call in flight keeps the descriptor open until it returns.</remarks>
public class FileDescriptor : SafeHandle
{
    internal FileDescriptor(int fd, bool owned = true)
        : base(-1, owned)
    {
        SetHandle(fd);
    }

    /// <summary>This process's standard input, which stays open.</summary>
    public static FileDescriptor StandardInput { get; } = new(0, owned: false);

    /// <summary>This process's standard output, which stays open.</summary>
    public static FileDescriptor StandardOutput { get; } = new(1, owned: false);

    /// <inheritdoc/>
    public override bool IsInvalid => handle < 0;

    /// <summary>True for a terminal.</summary>
    public bool IsTerminal
    {
        get
        {
            using var use = Use();
            return Libc.isatty(use.Fd) == 1;
        }
    }

    /// <summary>True for a pipe or a socket that has no reader any more (poll(2), POLLERR).</summary>
    public bool IsBroken => (Poll(0) & Libc.POLLERR) != 0;

    /// <summary>True for a socket whose peer has closed or sends no more (poll(2), POLLRDHUP), even with input left to read.</summary>
    public bool IsLeft => Poll(Libc.POLLRDHUP) != 0;

    /// <summary>This process's standard error, which stays open.</summary>
    public static FileDescriptor StandardError { get; } = new(2, owned: false);

    /// <summary>Opens a terminal for reading and writing. Neither opening (for a modem) nor writing (for room) blocks.</summary>
    /// <exception cref="LinuxException">It can't be opened.</exception>
    public static FileDescriptor OpenTerminal(string path) => new(OpenPath(path, Libc.O_RDWR | Libc.O_NOCTTY | Libc.O_NONBLOCK));

    /// <summary>Wraps a file's descriptor without owning it; the owner must keep it open until the wrapper's last use.</summary>
    public static FileDescriptor Borrow(SafeHandle file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return new FileDescriptor((int)file.DangerousGetHandle(), owned: false);
    }

    /// <summary>Opens a file with close-on-exec set.</summary>
    /// <exception cref="LinuxException">It can't be opened.</exception>
    internal static int OpenPath(string path, int flags)
    {
        var fd = Libc.open(path, flags | Libc.O_CLOEXEC);
        return LinuxException.Check(fd, $"open {path}");
    }

    /// <summary>Reads what is available, waiting for the first byte.</summary>
    /// <returns>Bytes read; 0 at the end of the file.</returns>
    /// <exception cref="LinuxException">The read failed.</exception>
    public unsafe int Read(Span<byte> buffer)
    {
        using var use = Use();
        // SAFETY: the buffer is pinned for the call, and the kernel writes no more than its length.
        fixed (byte* start = buffer)
        {
            while (true)
            {
                var count = Libc.read(use.Fd, start, (nuint)buffer.Length);
                if (count >= 0)
                    return (int)count;
                if (LinuxException.Last != Errno.EINTR)
                    LinuxException.Throw("read");
            }
        }
    }

    /// <summary>Writes all of it, waiting for room. Allocates nothing.</summary>
    /// <param name="bytes">What to write.</param>
    /// <param name="abandon">Once this is readable, the wait ends; null to wait for ever.</param>
    /// <returns>False when the other end is gone, the write failed or was abandoned.</returns>
    public unsafe bool TryWrite(ReadOnlySpan<byte> bytes, FileDescriptor? abandon = null)
    {
        using var use = Use();
        // SAFETY: the bytes are pinned for the call, and the kernel reads no more than their number.
        fixed (byte* start = bytes)
        {
            for (var done = 0; done < bytes.Length;)
            {
                // A blocked write can't be interrupted, since signals restart it (signal(7)); a write with enough room does not block.
                if (abandon is not null && !WaitForRoom(abandon))
                    return false;
                var count = Libc.write(use.Fd, start + done, (nuint)Math.Min(bytes.Length - done, Libc.PIPE_BUF));
                if (count >= 0)
                    done += (int)count;
                else if (LinuxException.Last == Errno.EAGAIN)
                    HasRoom(Timeout.InfiniteTimeSpan);
                else if (LinuxException.Last != Errno.EINTR)
                    return false;
            }
            return true;
        }
    }

    /// <summary>Writes what fits at once to a file that was opened not to block. Allocates nothing.</summary>
    /// <returns>Bytes written; 0 when there is no room, or no reader.</returns>
    public unsafe int WriteWithoutWaiting(ReadOnlySpan<byte> bytes)
    {
        using var use = Use();
        // SAFETY: the bytes are pinned for the call, and the kernel reads no more than their number.
        fixed (byte* start = bytes)
            return (int)Math.Max(Libc.write(use.Fd, start, (nuint)bytes.Length), 0);
    }

    /// <summary>Waits until a write would not block: of up to PIPE_BUF bytes to a pipe (pipe(7)), of anything to a regular file.</summary>
    /// <param name="limit">The longest wait; negative means no limit.</param>
    /// <returns>False when there is no room by then.</returns>
    /// <exception cref="LinuxException">The descriptor can't be polled.</exception>
    public bool HasRoom(TimeSpan limit) => WaitFor(Libc.POLLOUT, limit);

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;

    /// <summary>Waits for one of these events, an error or a hang-up (poll(2)).</summary>
    /// <returns>False when the time ran out. A negative limit is without end.</returns>
    /// <exception cref="LinuxException">It can't be waited for.</exception>
    private protected unsafe bool WaitFor(short events, TimeSpan limit)
    {
        using var use = Use();
        var poll = new pollfd { fd = use.Fd, events = events };
        var end = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (true)
        {
            var left = limit < TimeSpan.Zero ? -1 : (int)Math.Clamp(end - Environment.TickCount64, 0, int.MaxValue);
            // SAFETY: one structure, on the stack.
            var ready = Libc.poll(&poll, 1, left);
            if (ready >= 0)
                return ready > 0;
            if (LinuxException.Last != Errno.EINTR)
                LinuxException.Throw("poll");
        }
    }

    /// <summary>Keeps the descriptor open while its number is in use.</summary>
    internal Usage Use() => new(this);

    /// <summary>As <see cref="Use"/>, for a descriptor that another thread may have closed.</summary>
    /// <returns>False when it is closed; disposing <paramref name="use"/> then does nothing.</returns>
    internal bool TryUse(out Usage use)
    {
        use = default;
        if (IsClosed)
            return false;
        try
        {
            use = new Usage(this);
            return true;
        }
        catch (ObjectDisposedException)
        {
            // Closed between the check and taking the reference, which can happen only once in the descriptor's life.
            return false;
        }
    }

    // Those of the events that hold now; the kernel adds errors and a hang-up unasked.
    private unsafe short Poll(short events)
    {
        using var use = Use();
        var poll = new pollfd { fd = use.Fd, events = events };
        // SAFETY: one structure, on the stack.
        return Libc.poll(&poll, 1, 0) > 0 ? poll.revents : (short)0;
    }

    // False when there still is none once the other one is readable.
    private unsafe bool WaitForRoom(FileDescriptor abandon)
    {
        using var use = Use();
        using var other = abandon.Use();
        var polls = stackalloc pollfd[2];
        polls[0] = new pollfd { fd = use.Fd, events = Libc.POLLOUT };
        polls[1] = new pollfd { fd = other.Fd, events = Libc.POLLIN };
        // SAFETY: both structures are on the stack.
        while (Libc.poll(polls, 2, -1) < 0)
        {
            if (LinuxException.Last != Errno.EINTR)
                LinuxException.Throw("poll");
        }
        return polls[0].revents != 0;
    }

    /// <summary>A reference held for one call.</summary>
    internal readonly ref struct Usage
    {
        private readonly FileDescriptor? _owner;

        public Usage(FileDescriptor owner)
        {
            var added = false;
            owner.DangerousAddRef(ref added);
            _owner = owner;
        }

        public int Fd => (int)_owner!.handle;

        public void Dispose() => _owner?.DangerousRelease();
    }
}
