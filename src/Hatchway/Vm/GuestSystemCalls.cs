using Hatchway.Linux.Sandbox;

namespace Hatchway.Vm;

/// <summary>The system calls that a running guest's process needs: the program's own, and those of .NET's runtime.</summary>
internal static class GuestSystemCalls
{
    private const uint All = uint.MaxValue;

    // asm-generic/ioctl.h: bits 8 to 15 are the type, which identifies a driver.
    private const uint IoctlType = 0xFF00;

    // In descending order of frequency. The numbers are those of asm/unistd_64.h.
    private static readonly SystemCallRule[] Always =
    [
        // ioctl, by driver. Of the terminals' requests, none that put characters into the input, as TIOCSTI and TIOCLINUX do.
        new(16, 1,
        [
            // KVM, VFIO and block devices; taps, whose requests have the terminals' type with numbers from 192 (taps use those from 200).
            (IoctlType, 0xAE00), (IoctlType, 0x3B00), (IoctlType, 0x1200), (0xFFC0, 0x54C0),
            // TCGETS2, TCSETS2, TCSETSW2, TCSETSF2: the GNU C library's from 2.42 on.
            (All, 0x802C_542A), (All, 0x402C_542B), (All, 0x402C_542C), (All, 0x402C_542D),
            // TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ, FIONREAD, FIONBIO; TIOCGPTN and TIOCSPTLCK for a new pseudo terminal.
            (All, 0x5401), (All, 0x5402), (All, 0x5403), (All, 0x5404), (All, 0x5413), (All, 0x541B), (All, 0x5421),
            (All, 0x8004_5430), (All, 0x4004_5431),
            // SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCGIFMTU, SIOCSIFMTU: a tap that is opened or made anew when the guest starts again,
            // for which there is a socket then.
            (All, 0x8913), (All, 0x8914), (All, 0x8921), (All, 0x8922),
        ]),
        17,  // pread64
        18,  // pwrite64
        295, // preadv
        296, // pwritev
        202, // futex
        0,   // read
        1,   // write
        232, // epoll_wait
        281, // epoll_pwait
        7,   // poll
        271, // ppoll
        19,  // readv
        20,  // writev
        75,  // fdatasync
        74,  // fsync
        285, // fallocate
        // Memory.
        9,   // mmap
        10,  // mprotect
        11,  // munmap
        12,  // brk
        25,  // mremap
        26,  // msync
        27,  // mincore
        28,  // madvise
        149, // mlock
        150, // munlock
        325, // mlock2
        239, // get_mempolicy
        319, // memfd_create
        324, // membarrier
        // Threads of this process only (CLONE_THREAD), and scheduling of the caller.
        new(56, 0, [(0x1_0000, 0x1_0000)]), // clone
        60,  // exit
        231, // exit_group
        24,  // sched_yield
        35,  // nanosleep
        230, // clock_nanosleep
        219, // restart_syscall
        186, // gettid
        39,  // getpid
        273, // set_robust_list
        334, // rseq
        new(203, 0, [(All, 0)]), // sched_setaffinity of the caller
        204, // sched_getaffinity
        143, // sched_getparam
        145, // sched_getscheduler
        309, // getcpu
        // PR_SET_NAME, PR_GET_NAME, PR_SET_VMA.
        new(157, 0, [(All, 15), (All, 16), (All, 0x5356_4D41)]), // prctl
        new(234, 0, [(All, (uint)Environment.ProcessId)]), // tgkill
        13,  // rt_sigaction
        14,  // rt_sigprocmask
        15,  // rt_sigreturn
        131, // sigaltstack
        // Files; Landlock decides which.
        257, // openat
        3,   // close
        4,   // stat
        5,   // fstat
        6,   // lstat
        262, // newfstatat
        332, // statx
        138, // fstatfs
        8,   // lseek
        21,  // access
        269, // faccessat
        439, // faccessat2
        89,  // readlink
        267, // readlinkat
        217, // getdents64
        79,  // getcwd
        // fcntl, except requests that set who gets a signal, and which: F_DUPFD to F_SETLKW, open file description locks,
        // F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_ADD_SEALS.
        new(72, 1,
        [
            (All, 0), (All, 1), (All, 2), (All, 3), (All, 4), (All, 5), (All, 6), (All, 7), (All, 36), (All, 37), (All, 38),
            (All, 1030), (All, 1031), (All, 1033),
        ]),
        73,  // flock
        77,  // ftruncate
        221, // fadvise64
        32,  // dup
        292, // dup3
        293, // pipe2
        290, // eventfd2
        291, // epoll_create1
        233, // epoll_ctl
        87,  // unlink
        263, // unlinkat
        // Connections that clients make to the guest's sockets.
        288, // accept4
        new(44, 5, [(All, 0)]), // sendto without an address: to the connected peer
        45,  // recvfrom
        47,  // recvmsg
        48,  // shutdown
        51,  // getsockname
        52,  // getpeername
        54,  // setsockopt
        55,  // getsockopt
        // Queries about the host and the process.
        228, // clock_gettime
        229, // clock_getres
        318, // getrandom
        98,  // getrusage
        new(302, 0, [(All, 0)]), // prlimit64 of this process
        63,  // uname
        99,  // sysinfo
        102, // getuid
        104, // getgid
        107, // geteuid
        108, // getegid
    ];

    // Calls that make serial ports' and network devices' sockets anew when the guest restarts.
    private static readonly SystemCallRule[] WhenRestarting =
    [
        new(41, 0, [(All, 1), (All, 2), (All, 10)]), // socket: AF_UNIX, AF_INET, AF_INET6
        49,  // bind
        50,  // listen
    ];

    /// <summary>All rules, the most frequent first.</summary>
    /// <param name="restarts">True when the guest may restart in this process.</param>
    public static ReadOnlySpan<SystemCallRule> For(bool restarts) =>
        restarts ? (SystemCallRule[])[.. Always, .. WhenRestarting] : Always;
}
