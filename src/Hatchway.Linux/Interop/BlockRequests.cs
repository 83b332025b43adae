using static Hatchway.Linux.Interop.Ioctl;

namespace Hatchway.Linux.Interop;

/// <summary>ioctl requests of linux/fs.h to block devices, with the kernel's names.</summary>
internal static class BlockRequests
{
    // The kernel declares some of these with a pointer's size though they take none, or with the number of an older argument.
    public static readonly uint BLKDISCARD = Io(0x12, 119);
    public static readonly uint BLKZEROOUT = Io(0x12, 127);
    public static readonly uint BLKSSZGET = Io(0x12, 104);
    public static readonly uint BLKPBSZGET = Io(0x12, 123);
}
