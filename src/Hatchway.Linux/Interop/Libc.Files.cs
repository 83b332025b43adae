using System.Runtime.InteropServices;

namespace Hatchway.Linux.Interop;

/// <summary>Files: open(2), close(2), read(2), write(2), pread(2), pwrite(2), poll(2), eventfd(2), epoll(7), memfd_create(2), preadv(2),
/// pwritev(2), readv(2), writev(2), statx(2), fcntl(2), fdatasync(2), fallocate(2), lseek(2), getrandom(2), chown(2), chmod(2),
/// getpwnam(3), socket(2), bind(2), listen(2), accept(2), shutdown(2).</summary>
internal static unsafe partial class Libc
{
    /// <summary>The library's name. The runtime finds it at the first try; for "libc" it would try three more names, one of them a linker
    /// script.</summary>
    public const string Name = "libc.so.6";

    public const int O_RDONLY = 0;
    public const int O_WRONLY = 1;
    public const int O_RDWR = 2;
    public const int O_NOCTTY = 0x100;
    public const int O_NONBLOCK = 0x800;
    public const int O_DIRECT = 0x4000;
    public const int O_SYNC = 0x101000;
    public const int O_CLOEXEC = 0x80000;
    public const int F_OFD_GETLK = 36;
    public const int F_OFD_SETLK = 37;
    public const short F_RDLCK = 0;
    public const short F_WRLCK = 1;
    public const short F_UNLCK = 2;
    public const int SEEK_END = 2;
    public const int AT_EMPTY_PATH = 0x1000;
    public const uint STATX_DIOALIGN = 0x2000;
    public const int FALLOC_FL_KEEP_SIZE = 1;
    public const int FALLOC_FL_PUNCH_HOLE = 2;
    public const int FALLOC_FL_ZERO_RANGE = 16;
    public const int EFD_CLOEXEC = 0x80000;
    public const int EFD_NONBLOCK = 0x800;
    public const int EPOLL_CLOEXEC = 0x80000;
    public const int EPOLL_CTL_ADD = 1;
    public const int EPOLL_CTL_DEL = 2;
    public const uint MFD_CLOEXEC = 1;
    public const int AF_UNIX = 1;
    public const int AF_INET = 2;
    public const int SOCK_STREAM = 1;
    public const int SOCK_DGRAM = 2;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int SOMAXCONN = 4096;
    public const int SHUT_RDWR = 2;
    public const int SOL_SOCKET = 1;
    public const int SO_RCVTIMEO = 20;
    public const int SO_SNDTIMEO = 21;
    public const int MSG_DONTWAIT = 0x40;
    public const int MSG_NOSIGNAL = 0x4000;
    public const uint MFD_HUGETLB = 4;
    public const int MFD_HUGE_SHIFT = 26;
    public const int PIPE_BUF = 4096;
    public const short POLLIN = 1;
    public const short POLLOUT = 4;
    public const short POLLERR = 8;
    public const short POLLRDHUP = 0x2000;

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int close(int fd);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint read(int fd, void* buffer, nuint count);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint write(int fd, void* buffer, nuint count);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint pread(int fd, void* buffer, nuint count, long offset);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint pwrite(int fd, void* buffer, nuint count, long offset);

    // As Ioctl.ioctl_bare; callers see only that it failed.
    [LibraryImport(Name, EntryPoint = nameof(pread))]
    public static partial nint pread_bare(int fd, void* buffer, nuint count, long offset);

    [LibraryImport(Name, EntryPoint = nameof(pwrite))]
    public static partial nint pwrite_bare(int fd, void* buffer, nuint count, long offset);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int poll(pollfd* fds, nuint count, int timeout);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int eventfd(uint initial, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int epoll_create1(int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int epoll_ctl(int epfd, int operation, int fd, epoll_event* event_);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int epoll_wait(int epfd, epoll_event* events, int maximum, int timeout);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int memfd_create(string name, uint flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int ftruncate(int fd, long length);

    [LibraryImport(Name)]
    public static partial int isatty(int fd);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint preadv(int fd, iovec* parts, int count, long offset);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint pwritev(int fd, iovec* parts, int count, long offset);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint readv(int fd, iovec* parts, int count);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint writev(int fd, iovec* parts, int count);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int socket(int domain, int type, int protocol);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int bind(int fd, void* address, uint length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int listen(int fd, int backlog);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int accept4(int fd, void* address, uint* length, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int shutdown(int fd, int how);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int setsockopt(int fd, int level, int option, void* value, uint length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint send(int fd, void* data, nuint length, int flags);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int statx(int directory, string path, int flags, uint mask, statx* answer);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fcntl(int fd, int command, flock* argument);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fdatasync(int fd);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fallocate(int fd, int mode, long offset, long length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial long lseek(int fd, long offset, int whence);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int chmod(string path, uint mode);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int chown(string path, uint owner, uint group);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial passwd* getpwnam(string name);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint getrandom(void* buffer, nuint length, uint flags);
}

/// <summary>struct statx of linux/stat.h, as far as where a file lies and direct access go.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct statx
{
    [FieldOffset(0)]
    public uint stx_mask;

    [FieldOffset(136)]
    public uint stx_dev_major;

    [FieldOffset(140)]
    public uint stx_dev_minor;

    [FieldOffset(152)]
    public uint stx_dio_mem_align;

    [FieldOffset(156)]
    public uint stx_dio_offset_align;
}

[StructLayout(LayoutKind.Sequential)]
internal struct flock
{
    public short l_type;
    public short l_whence;
    public long l_start;
    public long l_len;
    public int l_pid;
}

[StructLayout(LayoutKind.Sequential)]
internal struct pollfd
{
    public int fd;
    public short events;
    public short revents;
}

// Packed on x86-64 (bits/epoll.h, __EPOLL_PACKED).
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct epoll_event
{
    public uint events;
    public ulong data;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct iovec
{
    public void* iov_base;
    public nuint iov_len;
}

// pwd.h, as the GNU C library has it.
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct passwd
{
    public byte* pw_name;
    public byte* pw_passwd;
    public uint pw_uid;
    public uint pw_gid;
    public byte* pw_gecos;
    public byte* pw_dir;
    public byte* pw_shell;
}
