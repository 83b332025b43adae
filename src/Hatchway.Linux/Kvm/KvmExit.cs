namespace Hatchway.Linux.Kvm;

/// <summary>Why a vCPU came back (linux/kvm.h, KVM_EXIT_*).</summary>
public enum KvmExit
{
    /// <summary>KVM does not know.</summary>
    Unknown = 0,

    /// <summary>An access to ports: see <see cref="KvmVcpu.Port"/>.</summary>
    Io = 2,

    /// <summary>The guest halted, and no interrupt controller of the kernel's can wake it.</summary>
    Halted = 5,

    /// <summary>An access to memory that is in no slot: see <see cref="KvmVcpu.Mmio"/>.</summary>
    Mmio = 6,

    /// <summary>A triple fault.</summary>
    Shutdown = 8,

    /// <summary>The CPU refused the guest's state.</summary>
    FailedEntry = 9,

    /// <summary>A kick or another signal.</summary>
    Interrupted = 10,

    /// <summary>KVM could not go on, as when it can't emulate an instruction.</summary>
    InternalError = 17,

    /// <summary>The guest reads an MSR that KVM does not know, once <see cref="KvmVm.HandOverUnknownMsrs"/> asked for these.</summary>
    ReadMsr = 29,

    /// <summary>The guest writes such an MSR.</summary>
    WriteMsr = 30,

    /// <summary>The guest asked for shutdown or reset by a paravirtual way.</summary>
    SystemEvent = 24,
}

/// <summary>A guest's access to a port, repeated <see cref="Count"/> times for a string instruction.</summary>
/// <param name="IsWrite">OUT, else IN.</param>
/// <param name="Port">Which.</param>
/// <param name="Width">1, 2 or 4 bytes.</param>
/// <param name="Count">How often, at least 1.</param>
public readonly record struct PortAccess(bool IsWrite, ushort Port, int Width, int Count);

/// <summary>A guest's access to memory outside its slots.</summary>
/// <param name="IsWrite">A write, else a read.</param>
/// <param name="Address">Guest-physical address.</param>
/// <param name="Width">1 to 8 bytes; not necessarily a power of two, since KVM cuts accesses at page borders.</param>
public readonly record struct MmioAccess(bool IsWrite, ulong Address, int Width);
