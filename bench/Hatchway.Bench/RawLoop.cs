using System.Runtime.InteropServices;

namespace Hatchway.Bench;

/// <summary>
/// The least that a C# program can do: a VM and a vCPU by raw ioctls, and a loop of KVM_RUN that checks the exit reason and writes a
/// constant. It uses no AddressSpace, no kicks, no error texts, nothing of Hatchway's.
/// </summary>
internal sealed unsafe partial class RawLoop : IDisposable
{
    private readonly int _kvm;
    private readonly int _vm;
    private readonly int _vcpu;
    private readonly byte* _memory;
    private readonly byte* _run;
    private readonly nuint _runSize;

    /// <summary>Makes the VM.</summary>
    /// <param name="code">The guest's code.</param>
    public RawLoop(ReadOnlySpan<byte> code)
    {
        _kvm = Check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "open /dev/kvm");
        _vm = Check(ioctl(_kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
        _memory = Map(-1, (nuint)GuestCode.MemoryBytes, MAP_SHARED | MAP_ANONYMOUS);
        code.CopyTo(new Span<byte>(_memory + GuestCode.CodeAt, code.Length));
        // struct kvm_userspace_memory_region: slot and flags, guest address, size, address here.
        var region = stackalloc ulong[] { 0, 0, GuestCode.MemoryBytes, (ulong)_memory };
        Check(ioctl(_vm, KVM_SET_USER_MEMORY_REGION, (nint)region), "KVM_SET_USER_MEMORY_REGION");
        _vcpu = Check(ioctl(_vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
        _runSize = (nuint)Check(ioctl(_kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
        _run = Map(_vcpu, _runSize, MAP_SHARED);
        StartInRealMode();
    }

    /// <summary>Answers exits.</summary>
    /// <param name="exits">The number of exits.</param>
    public void Run(int exits)
    {
        for (var seen = 0; seen < exits;)
        {
            // A signal of the runtime's own ends KVM_RUN, too.
            if (ioctl(_vcpu, KVM_RUN, 0) != 0)
                continue;
            if (*(uint*)(_run + ExitReason) != KVM_EXIT_MMIO)
                throw new InvalidOperationException($"KVM exit {*(uint*)(_run + ExitReason)}");
            *(ulong*)(_run + MmioData) = 0x1234_5678;
            seen++;
        }
    }

    /// <summary>Answers the guest's port accesses until it has written enough bytes to fill a span.</summary>
    public void Collect(Span<byte> written)
    {
        for (var count = 0; count < written.Length;)
        {
            if (ioctl(_vcpu, KVM_RUN, 0) != 0)
                continue;
            if (*(uint*)(_run + ExitReason) != KVM_EXIT_IO)
                throw new InvalidOperationException($"KVM exit {*(uint*)(_run + ExitReason)}");
            var data = _run + *(ulong*)(_run + IoDataOffset);
            if (*(_run + IoDirection) == KVM_EXIT_IO_OUT)
                written[count++] = *data;
            else
                *data = 0x78;
        }
    }

    /// <summary>The frequency of the guest's time stamp counter.</summary>
    public uint TscKilohertz => (uint)Check(ioctl(_vcpu, KVM_GET_TSC_KHZ, 0), "KVM_GET_TSC_KHZ");

    public void Dispose()
    {
        // SAFETY: the constructor mapped and opened these, and nothing uses them any more.
        _ = munmap(_run, _runSize);
        _ = close(_vcpu);
        _ = close(_vm);
        _ = munmap(_memory, (nuint)GuestCode.MemoryBytes);
        _ = close(_kvm);
    }

    private void StartInRealMode()
    {
        // struct kvm_sregs begins with the code segment: base, 8 bytes; limit, 4; selector, 2.
        var system = stackalloc byte[KvmSregsBytes];
        Check(ioctl(_vcpu, KVM_GET_SREGS, (nint)system), "KVM_GET_SREGS");
        *(ulong*)system = 0;
        *(ushort*)(system + 12) = 0;
        Check(ioctl(_vcpu, KVM_SET_SREGS, (nint)system), "KVM_SET_SREGS");
        // struct kvm_regs: 18 registers; RSP is the seventh, RIP and RFLAGS are the last.
        var general = stackalloc ulong[18];
        general[6] = GuestCode.StackAt;
        general[16] = GuestCode.CodeAt;
        general[17] = 2;
        Check(ioctl(_vcpu, KVM_SET_REGS, (nint)general), "KVM_SET_REGS");
    }

    private static byte* Map(int fd, nuint length, int flags)
    {
        var address = mmap(null, length, PROT_READ | PROT_WRITE, flags, fd, 0);
        return (nint)address != -1 ? (byte*)address : throw new InvalidOperationException($"mmap of {length} bytes failed");
    }

    private static int Check(int result, string operation) =>
        result >= 0 ? result : throw new InvalidOperationException($"{operation} failed");

    // linux/kvm.h, for x86-64.
    private const nuint KVM_CREATE_VM = 0xAE01;
    private const nuint KVM_GET_VCPU_MMAP_SIZE = 0xAE04;
    private const nuint KVM_CREATE_VCPU = 0xAE41;
    private const nuint KVM_SET_USER_MEMORY_REGION = 0x4020_AE46;
    private const nuint KVM_RUN = 0xAE80;
    private const nuint KVM_SET_REGS = 0x4090_AE82;
    private const nuint KVM_GET_SREGS = 0x8138_AE83;
    private const nuint KVM_SET_SREGS = 0x4138_AE84;
    private const nuint KVM_GET_TSC_KHZ = 0xAEA3;
    private const int KvmSregsBytes = 0x138;
    private const uint KVM_EXIT_IO = 2;
    private const uint KVM_EXIT_MMIO = 6;
    private const byte KVM_EXIT_IO_OUT = 1;

    // Offsets in struct kvm_run.
    private const int ExitReason = 8;
    private const int IoDirection = 32;
    private const int IoDataOffset = 40;
    private const int MmioData = 40;

    // asm-generic/fcntl.h and asm-generic/mman-common.h.
    private const int O_RDWR = 2;
    private const int O_CLOEXEC = 0x8_0000;
    private const int PROT_READ = 1;
    private const int PROT_WRITE = 2;
    private const int MAP_SHARED = 1;
    private const int MAP_ANONYMOUS = 0x20;

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc")]
    private static partial int close(int fd);

    [LibraryImport("libc")]
    private static partial int ioctl(int fd, nuint request, nint argument);

    [LibraryImport("libc")]
    private static partial void* mmap(void* address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport("libc")]
    private static partial int munmap(void* address, nuint length);
}
