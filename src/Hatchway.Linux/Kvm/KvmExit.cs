namespace Hatchway.Linux.Kvm;

/// <summary>Why KVM_RUN returned (linux/kvm.h, KVM_EXIT_*).</summary>
public enum KvmExit
{
    /// <summary>KVM does not know the hardware's reason.</summary>
    Unknown = 0,

    /// <summary>An access to ports: see <see cref="KvmVcpu.Port"/>.</summary>
    Io = 2,

    /// <summary>The guest halted, and the kernel has no interrupt controller that could wake it.</summary>
    Halted = 5,

    /// <summary>An access to memory that is in no slot: see <see cref="KvmVcpu.Mmio"/>.</summary>
    Mmio = 6,

    /// <summary>A triple fault.</summary>
    Shutdown = 8,

    /// <summary>The CPU refused the guest's state.</summary>
    FailedEntry = 9,

    /// <summary>A kick or another signal interrupted KVM_RUN.</summary>
    Interrupted = 10,

    /// <summary>KVM could not continue, as with an instruction that it can't emulate.</summary>
    InternalError = 17,

    /// <summary>The guest reads an MSR that KVM does not know, after <see cref="KvmVm.HandOverUnknownMsrs"/>.</summary>
    ReadMsr = 29,

    /// <summary>The guest writes such an MSR.</summary>
    WriteMsr = 30,

    /// <summary>The guest asked for shutdown or reset by a paravirtual interface.</summary>
    SystemEvent = 24,
}

/// <summary>A guest's access to a port, repeated <see cref="Count"/> times for a string instruction.</summary>
/// <param name="IsWrite">True for OUT, false for IN.</param>
/// <param name="Port">The port's number.</param>
/// <param name="Width">1, 2 or 4 bytes.</param>
/// <param name="Count">The number of repetitions, at least 1.</param>
public readonly record struct PortAccess(bool IsWrite, ushort Port, int Width, int Count);

/// <summary>A guest's access to memory outside its slots.</summary>
/// <param name="IsWrite">True for a write, false for a read.</param>
/// <param name="Address">Guest-physical address.</param>
/// <param name="Width">1 to 8 bytes; not necessarily a power of two, since KVM splits accesses at page boundaries.</param>
public readonly record struct MmioAccess(bool IsWrite, ulong Address, int Width);
