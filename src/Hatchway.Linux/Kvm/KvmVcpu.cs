using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.KvmRequests;

namespace Hatchway.Linux.Kvm;

/// <summary>A vCPU, run by one thread (Linux Documentation/virt/kvm/api.rst, "vcpu ioctls" and "The kvm_run structure").</summary>
/// <remarks>
/// <para>
/// The thread that runs it calls <see cref="Attach"/> first, then <see cref="Run"/> repeatedly. After an exit for a port or for memory it
/// puts the answer in place, and the next <see cref="Run"/> completes the guest's instruction with it.
/// </para>
/// <para>
/// Any thread may call <see cref="Kick"/>: it stores its request somewhere first, then kicks; the vCPU's thread checks for requests on
/// <see cref="KvmExit.Interrupted"/>. No kick is lost: a check follows each. An interruption does not mean that there is a request, and
/// one check may serve several kicks.
/// </para>
/// </remarks>
public sealed unsafe partial class KvmVcpu : FileDescriptor
{
    private readonly MemoryMapping _mapping;
    private readonly kvm_run* _run;
    private readonly int _fd;

    internal KvmVcpu(int fd, uint runSize)
        : base(fd)
    {
        _fd = fd;
        _mapping = MemoryMapping.Create(this, 0, runSize, writable: true);
        _run = (kvm_run*)_mapping.Address;
    }

    /// <summary>Runs the guest until its next exit. By the attached thread only. Allocates nothing.</summary>
    /// <exception cref="LinuxException">KVM can't run the vCPU.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public KvmExit Run()
    {
        // The call is an ordinary native one (no SuppressGCTransition), so that a garbage collection does not wait while the guest runs.
        if (Ioctl.ioctl_bare(_fd, KVM_RUN, 0) == 0)
            return (KvmExit)_run->exit_reason;
        return Interrupted((Errno)Marshal.GetLastSystemError());
    }

    /// <summary>The access that caused the last exit, when that was <see cref="KvmExit.Io"/>.</summary>
    public PortAccess Port
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(_run->io__direction != 0, _run->io__port, _run->io__size, (int)_run->io__count);
    }

    /// <summary>The data of that access, width times count bytes: what the guest writes, or where its answer goes.</summary>
    // SAFETY: KVM puts the data into the pages it shares, at the offset it names, and never more than one page of it.
    public Span<byte> PortData => new((byte*)_run + _run->io__data_offset, (int)(_run->io__size * _run->io__count));

    /// <summary>The value of that access when its count is 1, little-endian: what the guest writes, with undefined bits above its width, or
    /// the answer to its read.</summary>
    public uint PortValue
    {
        // SAFETY: the data area has room for four bytes in the shared pages, and KVM takes no more than the width.
        get => Unsafe.ReadUnaligned<uint>((byte*)_run + _run->io__data_offset);
        set => Unsafe.WriteUnaligned((byte*)_run + _run->io__data_offset, value);
    }

    /// <summary>The access that caused the last exit, when that was <see cref="KvmExit.Mmio"/>.</summary>
    public MmioAccess Mmio => new(_run->mmio__is_write != 0, _run->mmio__phys_addr, (int)_run->mmio__len);

    /// <summary>The value of that access, little-endian: what the guest writes, or the answer to its read.</summary>
    public ulong MmioData
    {
        get => _run->mmio__data;
        set => _run->mmio__data = value;
    }

    /// <summary>Answers the MSR access of the last exit without a fault: a read gives 0, a write is dropped.</summary>
    public void PassMsr()
    {
        _run->msr__error = 0;
        if ((KvmExit)_run->exit_reason == KvmExit.ReadMsr)
            _run->msr__data = 0;
    }

    /// <summary>Describes a <see cref="KvmExit.FailedEntry"/> or a <see cref="KvmExit.InternalError"/> for people.</summary>
    public string DescribeFailure() => (KvmExit)_run->exit_reason switch
    {
        KvmExit.FailedEntry => $"the CPU refused the guest's state, hardware reason {_run->fail_entry__hardware_entry_failure_reason:x}h",
        KvmExit.InternalError => $"KVM internal error {_run->internal__suberror}, at RIP {GetRegisters().Rip:x}h",
        var reason => $"KVM exit {(uint)reason}",
    };

    /// <summary>Reads the general registers. Not while another thread runs the vCPU.</summary>
    public GeneralRegisters GetRegisters()
    {
        kvm_regs native;
        Call(KVM_GET_REGS, &native, "KVM_GET_REGS");
        return new GeneralRegisters
        {
            Rax = native.rax,
            Rbx = native.rbx,
            Rcx = native.rcx,
            Rdx = native.rdx,
            Rsi = native.rsi,
            Rdi = native.rdi,
            Rsp = native.rsp,
            Rip = native.rip,
            Rflags = native.rflags,
        };
    }

    /// <summary>Writes the general registers; R8 to R15 and RBP become zero.</summary>
    public void SetRegisters(in GeneralRegisters registers)
    {
        var native = new kvm_regs
        {
            rax = registers.Rax,
            rbx = registers.Rbx,
            rcx = registers.Rcx,
            rdx = registers.Rdx,
            rsi = registers.Rsi,
            rdi = registers.Rdi,
            rsp = registers.Rsp,
            rip = registers.Rip,
            rflags = registers.Rflags | 2,
        };
        Call(KVM_SET_REGS, &native, "KVM_SET_REGS");
    }

    /// <summary>Writes segments, descriptor tables and control registers.</summary>
    public void SetSystemRegisters(in SystemRegisters registers)
    {
        kvm_sregs native;
        Call(KVM_GET_SREGS, &native, "KVM_GET_SREGS");
        registers.ApplyTo(ref native);
        Call(KVM_SET_SREGS, &native, "KVM_SET_SREGS");
    }

    /// <summary>Sets the code segment's base and selector to zero on a vCPU that has not run, and so is in real mode; for tests' small
    /// guests.</summary>
    public void SetRealMode()
    {
        kvm_sregs native;
        Call(KVM_GET_SREGS, &native, "KVM_GET_SREGS");
        native.cs.@base = 0;
        native.cs.selector = 0;
        Call(KVM_SET_SREGS, &native, "KVM_SET_SREGS");
    }

    /// <summary>Sets the guest's CPUID leaves. To be called before the first run.</summary>
    public void SetCpuid(IReadOnlyList<CpuidEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        var bytes = new byte[sizeof(kvm_cpuid2) + (entries.Count * sizeof(kvm_cpuid_entry2))];
        var native = MemoryMarshal.Cast<byte, kvm_cpuid_entry2>(bytes.AsSpan(sizeof(kvm_cpuid2)));
        for (var i = 0; i < entries.Count; i++)
            native[i] = entries[i].ToNative();
        // SAFETY: the buffer holds the header and as many entries as the header says.
        fixed (byte* start = bytes)
        {
            ((kvm_cpuid2*)start)->nent = (uint)entries.Count;
            Call(KVM_SET_CPUID2, start, "KVM_SET_CPUID2");
        }
    }

    /// <summary>Reads a model-specific register. Not while another thread runs the vCPU.</summary>
    /// <exception cref="LinuxException">KVM has no such register.</exception>
    public ulong GetMsr(uint index)
    {
        var bytes = stackalloc byte[sizeof(kvm_msrs) + sizeof(kvm_msr_entry)];
        var entry = (kvm_msr_entry*)(bytes + sizeof(kvm_msrs));
        *(kvm_msrs*)bytes = new kvm_msrs { nmsrs = 1 };
        *entry = new kvm_msr_entry { index = index };
        if (Call(KVM_GET_MSRS, bytes, "KVM_GET_MSRS") < 1)
            throw new LinuxException($"KVM_GET_MSRS: register {index:x}h", Errno.EINVAL);
        return entry->data;
    }

    /// <summary>Writes model-specific registers.</summary>
    /// <exception cref="LinuxException">KVM refuses one of them.</exception>
    public void SetMsrs(ReadOnlySpan<ModelSpecificRegister> registers)
    {
        var bytes = new byte[sizeof(kvm_msrs) + (registers.Length * sizeof(kvm_msr_entry))];
        var native = MemoryMarshal.Cast<byte, kvm_msr_entry>(bytes.AsSpan(sizeof(kvm_msrs)));
        for (var i = 0; i < registers.Length; i++)
            native[i] = new kvm_msr_entry { index = registers[i].Index, data = registers[i].Value };
        // SAFETY: the buffer holds the header and as many entries as the header says.
        fixed (byte* start = bytes)
        {
            ((kvm_msrs*)start)->nmsrs = (uint)registers.Length;
            var done = Call(KVM_SET_MSRS, start, "KVM_SET_MSRS");
            if (done < registers.Length)
                throw new LinuxException($"KVM_SET_MSRS: register {registers[done].Index:x}h", Errno.EINVAL);
        }
    }

    /// <summary>Writes registers of the local APIC, each by its offset in the APIC's page (Intel SDM volume 3, table 11-1).</summary>
    public void SetLocalApic(ReadOnlySpan<(int Offset, uint Value)> registers)
    {
        kvm_lapic_state state;
        Call(KVM_GET_LAPIC, &state, "KVM_GET_LAPIC");
        foreach (var (offset, value) in registers)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)offset, (uint)sizeof(kvm_lapic_state) - sizeof(uint), nameof(registers));
            // SAFETY: the offset was checked to lie inside the structure.
            Unsafe.WriteUnaligned(state.regs + offset, value);
        }
        Call(KVM_SET_LAPIC, &state, "KVM_SET_LAPIC");
    }

    /// <summary>The vCPU's statistics (KVM_GET_STATS_FD).</summary>
    public KvmStatistics OpenStatistics()
    {
        using var use = Use();
        return KvmStatistics.Open(LinuxException.Check(Ioctl.ioctl(use.Fd, KVM_GET_STATS_FD, 0), "KVM_GET_STATS_FD"));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _mapping.Dispose();
        base.Dispose(disposing);
    }

    // SAFETY: callers pass a structure, or a buffer, of the size that belongs to the request.
    private int Call(uint request, void* argument, string name)
    {
        using var use = Use();
        return LinuxException.Check(Ioctl.ioctl(use.Fd, request, argument), name);
    }
}
