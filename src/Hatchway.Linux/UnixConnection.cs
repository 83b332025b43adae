using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>A stream to a client of a <see cref="UnixListener"/> (unix(7)).</summary>
/// <remarks>One thread may read while others send.</remarks>
public sealed class UnixConnection : FileDescriptor
{
    internal UnixConnection(int fd)
        : base(fd)
    {
    }

    /// <summary>Bounds how long later reads and sends wait; after that they fail with EAGAIN (socket(7), SO_RCVTIMEO and
    /// SO_SNDTIMEO).</summary>
    /// <param name="bound">How long at most, to the microsecond; zero waits for ever.</param>
    /// <exception cref="LinuxException">The kernel refuses it.</exception>
    public unsafe void WaitAtMost(TimeSpan bound)
    {
        using var use = Use();
        // struct timeval of linux/time.h.
        var time = stackalloc long[] { (long)bound.TotalSeconds, bound.Ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMicrosecond };
        // SAFETY: two numbers on the stack, whose length is given.
        LinuxException.Check(Libc.setsockopt(use.Fd, Libc.SOL_SOCKET, Libc.SO_RCVTIMEO, time, 2 * sizeof(long)), "setsockopt SO_RCVTIMEO");
        LinuxException.Check(Libc.setsockopt(use.Fd, Libc.SOL_SOCKET, Libc.SO_SNDTIMEO, time, 2 * sizeof(long)), "setsockopt SO_SNDTIMEO");
    }

    /// <summary>Sends all of it, waiting for room.</summary>
    /// <exception cref="LinuxException">The client has gone, or did not read in time.</exception>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (TrySend(bytes, Libc.MSG_NOSIGNAL) is var count and >= 0)
                bytes = bytes[count..];
            else if (LinuxException.Last != Errno.EINTR)
                LinuxException.Throw("send");
        }
    }

    /// <summary>Sends as much as fits at once. Allocates nothing.</summary>
    /// <returns>Bytes sent; 0 when there is no room, or the client has gone.</returns>
    public int SendWithoutWaiting(ReadOnlySpan<byte> bytes) => Math.Max(TrySend(bytes, Libc.MSG_NOSIGNAL | Libc.MSG_DONTWAIT), 0);

    private unsafe int TrySend(ReadOnlySpan<byte> bytes, int flags)
    {
        using var use = Use();
        // SAFETY: the bytes are pinned for the call, and the kernel reads no more than their number.
        fixed (byte* start = bytes)
            return (int)Libc.send(use.Fd, start, (nuint)bytes.Length, flags);
    }
}
