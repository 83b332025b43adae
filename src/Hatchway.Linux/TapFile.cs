using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>What a tap may leave for the receiver to finish, with the kernel's values (linux/if_tun.h).</summary>
[Flags]
public enum TapOffloads : uint
{
    /// <summary>Packets are complete.</summary>
    None = 0,

    /// <summary>TUN_F_CSUM: checksums may be missing.</summary>
    Checksum = 1,

    /// <summary>TUN_F_TSO4: TCP over IPv4 may come in packets of up to 64 KiB.</summary>
    Tcp4 = 2,

    /// <summary>TUN_F_TSO6: the same over IPv6.</summary>
    Tcp6 = 4,

    /// <summary>TUN_F_TSO_ECN: the same with congestion notification.</summary>
    TcpEcn = 8,

    /// <summary>TUN_F_UFO: UDP may come in packets that are still to be fragmented.</summary>
    Udp = 0x10,
}

/// <summary>A queue of a tap interface: Ethernet packets, each preceded by the header of virtio's network device.</summary>
/// <remarks>Any thread may call; nothing here waits, and reading and writing allocate nothing.</remarks>
public sealed class TapFile : FileDescriptor
{
    private const string Device = "/dev/net/tun";

    /// <summary>The longest name of an interface, in bytes.</summary>
    public const int LongestName = ifreq.IFNAMSIZ - 1;

    // Consecutive packets that the kernel could make no header for; after so many, a read gives up until the next event.
    private const int MostLost = 256;

    /// <summary>Bytes before each packet: struct virtio_net_hdr_mrg_rxbuf of linux/virtio_net.h.</summary>
    public const int HeaderBytes = 12;

    private TapFile(int fd)
        : base(fd)
    {
    }

    /// <summary>Opens a queue of an interface. The kernel makes a missing interface, and removes it with its last queue.</summary>
    /// <param name="name">The interface.</param>
    /// <param name="several">The interface may have several queues.</param>
    /// <exception cref="LinuxException">
    /// <c>open /dev/net/tun</c> failed; or TUNSETIFF: EPERM without the right to use this interface or to make one, EBUSY while
    /// another process has it, EINVAL when it is no tap, or when <paramref name="several"/> is not as it was made.
    /// </exception>
    public static unsafe TapFile Open(string name, bool several)
    {
        var queue = new TapFile(OpenPath(Device, Libc.O_RDWR | Libc.O_NONBLOCK));
        try
        {
            var request = NetworkInterface.Request(name);
            request.ifr_flags = (short)(TunRequests.IFF_TAP | TunRequests.IFF_NO_PI | TunRequests.IFF_VNET_HDR
                | (several ? TunRequests.IFF_MULTI_QUEUE : 0));
            var bytes = HeaderBytes;
            using var use = queue.Use();
            // SAFETY: a structure and a number on the stack, as large as the kernel's (tested).
            LinuxException.Check(Ioctl.ioctl(use.Fd, TunRequests.TUNSETIFF, &request), $"TUNSETIFF {name}");
            LinuxException.Check(Ioctl.ioctl(use.Fd, TunRequests.TUNSETVNETHDRSZ, &bytes), "TUNSETVNETHDRSZ");
            return queue;
        }
        catch
        {
            queue.Dispose();
            throw;
        }
    }

    /// <summary>Sets what the interface, with all its queues, may leave unfinished.</summary>
    /// <returns>False when the kernel can't; nothing has changed then.</returns>
    public bool TrySetOffloads(TapOffloads offloads)
    {
        using var use = Use();
        return Ioctl.ioctl(use.Fd, TunRequests.TUNSETOFFLOAD, (nint)(uint)offloads) == 0;
    }

    /// <summary>Attaches this queue of a multi-queue interface, or detaches it; packets that a detached queue held are dropped.</summary>
    /// <returns>False when the kernel refuses.</returns>
    public unsafe bool TrySetActive(bool active)
    {
        var request = new ifreq { ifr_flags = (short)(active ? TunRequests.IFF_ATTACH_QUEUE : TunRequests.IFF_DETACH_QUEUE) };
        using var use = Use();
        // SAFETY: a structure on the stack. The kernel refuses a queue that is in that state already (EINVAL); nothing changes then.
        return Ioctl.ioctl(use.Fd, TunRequests.TUNSETQUEUE, &request) == 0;
    }

    /// <summary>Receives a packet with its header. A packet that the kernel has no header for is lost (drivers/net/tun.c,
    /// tun_put_user).</summary>
    /// <param name="target">Where the packet goes; a part that does not fit is lost.</param>
    /// <returns>Bytes; 0 when there is no packet.</returns>
    public unsafe int Read(ReadOnlySpan<HostRange> target)
    {
        using var use = Use();
        // SAFETY: a HostRange is an iovec (tested); the caller guarantees that the memory exists.
        fixed (HostRange* parts = target)
        {
            for (var lost = 0; lost < MostLost; lost++)
            {
                var length = (int)Libc.readv(use.Fd, (iovec*)parts, target.Length);
                if (length >= 0)
                    return length;
                if (LinuxException.Last is not (Errno.EINVAL or Errno.EINTR))
                    break;
            }
            return 0;
        }
    }

    /// <summary>Sends a packet with its header.</summary>
    /// <returns>False when the kernel does not take it: the header is wrong, or the interface is down.</returns>
    public unsafe bool TryWrite(ReadOnlySpan<HostRange> source)
    {
        using var use = Use();
        // SAFETY: as above.
        fixed (HostRange* parts = source)
            return Libc.writev(use.Fd, (iovec*)parts, source.Length) > 0;
    }
}
