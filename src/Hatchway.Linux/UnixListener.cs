using System.Text;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>A socket in a file that clients of the same user connect to (unix(7)).</summary>
/// <remarks>One thread accepts; any other may stop it.</remarks>
public sealed class UnixListener : FileDescriptor
{
    /// <summary>The longest path of the socket's file, in bytes of UTF-8.</summary>
    public const int MaximumPath = 107;

    // struct sockaddr_un of linux/un.h: the family, and a path that ends with a zero.
    private const int PathAt = 2;
    private const int AddressLength = PathAt + MaximumPath + 1;
    private const uint OwnerOnly = 0x180; // 0600

    private UnixListener(int fd)
        : base(fd)
    {
    }

    /// <summary>Makes the socket's file, which only its owner may connect to, and listens.</summary>
    /// <param name="path">The file, which must not exist yet; at most <see cref="MaximumPath"/> bytes.</param>
    /// <exception cref="LinuxException">It can't be made.</exception>
    public static unsafe UnixListener Listen(string path)
    {
        var listener = new UnixListener(LinuxException.Check(Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0), "socket"));
        try
        {
            Span<byte> address = stackalloc byte[AddressLength];
            address.Clear();
            BitConverter.TryWriteBytes(address, (ushort)Libc.AF_UNIX);
            if (!Encoding.UTF8.TryGetBytes(path, address[PathAt..^1], out _))
                throw new LinuxException($"bind {path}", Errno.ENAMETOOLONG);
            using var use = listener.Use();
            // SAFETY: an address on the stack, whose length is given.
            fixed (byte* start = address)
                LinuxException.Check(Libc.bind(use.Fd, start, AddressLength), $"bind {path}");
            LinuxException.Check(Libc.chmod(path, OwnerOnly), $"chmod {path}");
            LinuxException.Check(Libc.listen(use.Fd, Libc.SOMAXCONN), $"listen {path}");
            return listener;
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    /// <summary>Waits for a client.</summary>
    /// <returns>The connection; null on a failure, and after <see cref="Stop"/> once all waiting clients have been accepted.</returns>
    public unsafe UnixConnection? TryAccept()
    {
        using var use = Use();
        while (true)
        {
            // SAFETY: null for both, since the client's address is of no interest.
            var fd = Libc.accept4(use.Fd, null, null, Libc.SOCK_CLOEXEC);
            if (fd >= 0)
                return new UnixConnection(fd);
            if (LinuxException.Last is not (Errno.EINTR or Errno.ECONNABORTED))
                return null;
        }
    }

    /// <summary>Makes <see cref="TryAccept"/> stop waiting, for good. Any thread may call.</summary>
    public void Stop()
    {
        using var use = Use();
        _ = Libc.shutdown(use.Fd, Libc.SHUT_RDWR);
    }
}
