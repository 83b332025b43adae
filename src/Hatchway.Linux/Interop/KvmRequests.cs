using static Hatchway.Linux.Interop.Ioctl;

namespace Hatchway.Linux.Interop;

/// <summary>ioctl requests of linux/kvm.h, with the kernel's names.</summary>
internal static class KvmRequests
{
    private const uint KVMIO = 0xAE;

    public static readonly uint KVM_GET_API_VERSION = Io(KVMIO, 0x00);
    public static readonly uint KVM_CREATE_VM = Io(KVMIO, 0x01);
    public static readonly uint KVM_CHECK_EXTENSION = Io(KVMIO, 0x03);
    public static readonly uint KVM_GET_VCPU_MMAP_SIZE = Io(KVMIO, 0x04);
    public static readonly uint KVM_GET_SUPPORTED_CPUID = Iowr<kvm_cpuid2>(KVMIO, 0x05);
    public static readonly uint KVM_CREATE_VCPU = Io(KVMIO, 0x41);
    public static readonly uint KVM_SET_USER_MEMORY_REGION = Iow<kvm_userspace_memory_region>(KVMIO, 0x46);
    public static readonly uint KVM_SET_TSS_ADDR = Io(KVMIO, 0x47);
    public static readonly uint KVM_SET_IDENTITY_MAP_ADDR = Iow<ulong>(KVMIO, 0x48);
    public static readonly uint KVM_CREATE_IRQCHIP = Io(KVMIO, 0x60);
    public static readonly uint KVM_IRQ_LINE = Iow<kvm_irq_level>(KVMIO, 0x61);
    public static readonly uint KVM_SET_GSI_ROUTING = Iow<kvm_irq_routing>(KVMIO, 0x6A);
    public static readonly uint KVM_REINJECT_CONTROL = Io(KVMIO, 0x71);
    public static readonly uint KVM_IRQFD = Iow<kvm_irqfd>(KVMIO, 0x76);
    public static readonly uint KVM_CREATE_PIT2 = Iow<kvm_pit_config>(KVMIO, 0x77);
    public static readonly uint KVM_IOEVENTFD = Iow<kvm_ioeventfd>(KVMIO, 0x79);
    public static readonly uint KVM_ENABLE_CAP = Iow<kvm_enable_cap>(KVMIO, 0xA3);
    public static readonly uint KVM_SIGNAL_MSI = Iow<kvm_msi>(KVMIO, 0xA5);
    public static readonly uint KVM_CREATE_DEVICE = Iowr<kvm_create_device>(KVMIO, 0xE0);
    public static readonly uint KVM_SET_DEVICE_ATTR = Iow<kvm_device_attr>(KVMIO, 0xE1);
    public static readonly uint KVM_KVMCLOCK_CTRL = Io(KVMIO, 0xAD);
    public static readonly uint KVM_GET_STATS_FD = Io(KVMIO, 0xCE);

    public static readonly uint KVM_RUN = Io(KVMIO, 0x80);
    public static readonly uint KVM_GET_REGS = Ior<kvm_regs>(KVMIO, 0x81);
    public static readonly uint KVM_SET_REGS = Iow<kvm_regs>(KVMIO, 0x82);
    public static readonly uint KVM_GET_SREGS = Ior<kvm_sregs>(KVMIO, 0x83);
    public static readonly uint KVM_SET_SREGS = Iow<kvm_sregs>(KVMIO, 0x84);
    public static readonly uint KVM_GET_MSRS = Iowr<kvm_msrs>(KVMIO, 0x88);
    public static readonly uint KVM_SET_MSRS = Iow<kvm_msrs>(KVMIO, 0x89);
    public static readonly uint KVM_GET_LAPIC = Ior<kvm_lapic_state>(KVMIO, 0x8E);
    public static readonly uint KVM_SET_LAPIC = Iow<kvm_lapic_state>(KVMIO, 0x8F);
    public static readonly uint KVM_SET_CPUID2 = Iow<kvm_cpuid2>(KVMIO, 0x90);
}
