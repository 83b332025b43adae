using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hatchway.Linux.Interop;

/// <summary>ioctl(2), and its request numbers computed from their parts (linux/asm-generic/ioctl.h).</summary>
internal static unsafe partial class Ioctl
{
    private const int TypeShift = 8;
    private const int SizeShift = 16;
    private const int DirectionShift = 30;
    private const uint DirectionWrite = 1;
    private const uint DirectionRead = 2;

    public static uint Io(uint type, uint number) => (type << TypeShift) | number;

    public static uint Ior<T>(uint type, uint number)
        where T : unmanaged => Sized<T>(DirectionRead, type, number);

    public static uint Iow<T>(uint type, uint number)
        where T : unmanaged => Sized<T>(DirectionWrite, type, number);

    public static uint Iowr<T>(uint type, uint number)
        where T : unmanaged => Sized<T>(DirectionRead | DirectionWrite, type, number);

    private static uint Sized<T>(uint direction, uint type, uint number)
        where T : unmanaged => (direction << DirectionShift) | ((uint)Unsafe.SizeOf<T>() << SizeShift) | Io(type, number);

    // ioctl's third argument is variadic in C. On x86-64 an integer or a pointer is passed there as in a fixed argument list.
    [LibraryImport(Libc.Name, SetLastError = true)]
    public static partial int ioctl(int fd, nuint request, nint argument);

    [LibraryImport(Libc.Name, SetLastError = true)]
    public static partial int ioctl(int fd, nuint request, void* argument);

    /// <summary>As <c>ioctl</c>, for the exit path: without saving errno for <see cref="LinuxException.Last"/>, which takes 60
    /// instructions. The caller may read it with <see cref="Marshal.GetLastSystemError"/> right after.</summary>
    [LibraryImport(Libc.Name, EntryPoint = nameof(ioctl))]
    public static partial int ioctl_bare(int fd, nuint request, nint argument);
}
