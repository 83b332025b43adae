using System.Runtime.InteropServices;

namespace Hatchway.Linux.Interop;

/// <summary>Terminals: termios(3), posix_openpt(3), ptsname(3).</summary>
internal static unsafe partial class Libc
{
    public const int TCSANOW = 0;

    [LibraryImport(Name, SetLastError = true)]
    public static partial int tcgetattr(int fd, termios* attributes);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int tcsetattr(int fd, int when, termios* attributes);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int posix_openpt(int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int grantpt(int fd);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int unlockpt(int fd);

    // Returns the error number itself.
    [LibraryImport(Name)]
    public static partial int ptsname_r(int fd, byte* name, nuint length);

    [LibraryImport(Name)]
    public static partial void cfmakeraw(termios* attributes);
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct termios
{
    public uint c_iflag;
    public uint c_oflag;
    public uint c_cflag;
    public uint c_lflag;
    public byte c_line;
    public fixed byte c_cc[32];
    public uint c_ispeed;
    public uint c_ospeed;
}
