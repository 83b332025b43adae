using System.Runtime.InteropServices;
using static Hatchway.Linux.Interop.Ioctl;

namespace Hatchway.Linux.Interop;

/// <summary>ioctl requests and flags of linux/if_tun.h, and the requests of linux/sockios.h that take an interface's name; with the
/// kernel's names.</summary>
internal static class TunRequests
{
    public const uint SIOCGIFFLAGS = 0x8913;
    public const uint SIOCSIFFLAGS = 0x8914;
    public const uint SIOCGIFMTU = 0x8921;
    public const uint SIOCSIFMTU = 0x8922;

    public const uint IFF_UP = 1;
    public const uint IFF_TAP = 0x0002;
    public const uint IFF_MULTI_QUEUE = 0x0100;
    public const uint IFF_ATTACH_QUEUE = 0x0200;
    public const uint IFF_DETACH_QUEUE = 0x0400;
    public const uint IFF_NO_PI = 0x1000;
    public const uint IFF_VNET_HDR = 0x4000;

    // The kernel declares these with the size of an int, even where they take a structure or a value.
    public static readonly uint TUNSETIFF = Iow<int>('T', 202);
    public static readonly uint TUNSETOFFLOAD = Iow<uint>('T', 208);
    public static readonly uint TUNSETVNETHDRSZ = Iow<int>('T', 216);
    public static readonly uint TUNSETQUEUE = Iow<int>('T', 217);
}

/// <summary>struct ifreq of linux/if.h, with only the members for flags and MTU.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
internal unsafe struct ifreq
{
    /// <summary>Bytes of a name including its terminating zero (IFNAMSIZ).</summary>
    public const int IFNAMSIZ = 16;

    [FieldOffset(0)]
    public fixed byte ifr_name[IFNAMSIZ];

    [FieldOffset(16)]
    public short ifr_flags;

    [FieldOffset(16)]
    public int ifr_mtu;
}
