namespace Hatchway.Linux.Kvm;

/// <summary>Capabilities that KVM can be asked about (linux/kvm.h, KVM_CAP_*).</summary>
public enum KvmCapability
{
    /// <summary>KVM_CAP_NR_MEMSLOTS: memory slots of a VM.</summary>
    MemorySlots = 10,

    /// <summary>KVM_CAP_IRQ_ROUTING: entries of the interrupt routing table.</summary>
    IrqRouting = 25,

    /// <summary>KVM_CAP_TSC_DEADLINE_TIMER: the local APIC's timer can follow the TSC.</summary>
    TscDeadlineTimer = 72,

    /// <summary>KVM_CAP_X86_DISABLE_EXITS: a mask of the exits (KVM_X86_DISABLE_EXITS_MWAIT, _HLT, _PAUSE, _CSTATE) that can be switched
    /// off.</summary>
    DisableExits = 143,
}
