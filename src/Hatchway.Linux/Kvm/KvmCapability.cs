namespace Hatchway.Linux.Kvm;

/// <summary>Capabilities to ask KVM for (linux/kvm.h, KVM_CAP_*).</summary>
public enum KvmCapability
{
    /// <summary>KVM_CAP_NR_VCPUS: recommended number of vCPUs.</summary>
    RecommendedVcpus = 9,

    /// <summary>KVM_CAP_NR_MEMSLOTS: memory slots of a VM.</summary>
    MemorySlots = 10,

    /// <summary>KVM_CAP_IRQ_ROUTING: entries of the interrupt routing table.</summary>
    IrqRouting = 25,

    /// <summary>KVM_CAP_MAX_VCPUS: vCPUs of a VM at most.</summary>
    MaximumVcpus = 66,

    /// <summary>KVM_CAP_TSC_DEADLINE_TIMER: the local APIC's timer can follow the TSC.</summary>
    TscDeadlineTimer = 72,

    /// <summary>KVM_CAP_IRQFD_RESAMPLE: level-triggered irqfds.</summary>
    IrqfdResample = 82,

    /// <summary>KVM_CAP_IMMEDIATE_EXIT: kvm_run.immediate_exit is heeded.</summary>
    ImmediateExit = 136,

    /// <summary>KVM_CAP_BINARY_STATS_FD: statistics by file descriptor.</summary>
    BinaryStatistics = 203,
}
