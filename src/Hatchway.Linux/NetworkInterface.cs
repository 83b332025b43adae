using System.Text;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>Settings of one of the host's network interfaces (netdevice(7)).</summary>
public static class NetworkInterface
{
    /// <summary>True when there is an interface of that name.</summary>
    public static bool Exists(string name) => Directory.Exists($"/sys/class/net/{name}");

    /// <summary>True when it is a tap or tun.</summary>
    public static bool IsTunnel(string name) => File.Exists($"/sys/class/net/{name}/tun_flags");

    /// <summary>True when it is up.</summary>
    /// <exception cref="LinuxException">There is no such interface.</exception>
    public static bool IsUp(string name)
    {
        var request = Request(name);
        Do(TunRequests.SIOCGIFFLAGS, ref request, $"SIOCGIFFLAGS {name}");
        return (request.ifr_flags & TunRequests.IFF_UP) != 0;
    }

    /// <summary>Brings it up.</summary>
    /// <exception cref="LinuxException">EPERM without CAP_NET_ADMIN.</exception>
    public static void BringUp(string name)
    {
        var request = Request(name);
        Do(TunRequests.SIOCGIFFLAGS, ref request, $"SIOCGIFFLAGS {name}");
        request.ifr_flags |= (short)TunRequests.IFF_UP;
        Do(TunRequests.SIOCSIFFLAGS, ref request, $"SIOCSIFFLAGS {name}");
    }

    /// <summary>Bytes of its largest packet, without the Ethernet header.</summary>
    /// <exception cref="LinuxException">There is none.</exception>
    public static int Mtu(string name)
    {
        var request = Request(name);
        Do(TunRequests.SIOCGIFMTU, ref request, $"SIOCGIFMTU {name}");
        return request.ifr_mtu;
    }

    /// <summary>Sets the interface's MTU: the bytes of its largest packet, without the Ethernet header.</summary>
    /// <exception cref="LinuxException">EPERM without CAP_NET_ADMIN, EINVAL out of its range.</exception>
    public static void SetMtu(string name, int mtu)
    {
        var request = Request(name);
        request.ifr_mtu = mtu;
        Do(TunRequests.SIOCSIFMTU, ref request, $"SIOCSIFMTU {name}");
    }

    /// <summary>Makes a request that names an interface.</summary>
    internal static unsafe ifreq Request(string name)
    {
        var request = default(ifreq);
        // SAFETY: the structure is on the stack, and the last byte of the name stays zero.
        Encoding.UTF8.GetBytes(name, new Span<byte>(request.ifr_name, ifreq.IFNAMSIZ - 1));
        return request;
    }

    private static unsafe void Do(uint number, ref ifreq request, string operation)
    {
        var fd = LinuxException.Check(Libc.socket(Libc.AF_INET, Libc.SOCK_DGRAM | Libc.SOCK_CLOEXEC, 0), "socket");
        using var socket = new FileDescriptor(fd);
        // SAFETY: the structure is pinned for the call.
        fixed (ifreq* pinned = &request)
            LinuxException.Check(Ioctl.ioctl(fd, number, pinned), operation);
    }
}
