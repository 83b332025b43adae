using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.KvmRequests;

namespace Hatchway.Linux.Kvm;

/// <summary>A VM: memory, interrupt controllers and vCPUs (Linux Documentation/virt/kvm/api.rst, "VM ioctls").</summary>
/// <remarks>Any thread may call; KVM serialises. The kernel keeps a VM until its vCPUs are closed, too.</remarks>
public sealed partial class KvmVm : FileDescriptor
{
    private readonly uint _runSize;

    internal KvmVm(int fd, uint runSize)
        : base(fd)
    {
        _runSize = runSize;
        _slotLimit = CheckExtension(KvmCapability.MemorySlots);
    }

    /// <summary>Asks for a capability of this VM.</summary>
    /// <returns>0 when KVM lacks it; else 1, or a number whose meaning depends on the capability.</returns>
    public int CheckExtension(KvmCapability capability) => Call(KVM_CHECK_EXTENSION, (nint)capability, "KVM_CHECK_EXTENSION");

    /// <summary>Gives KVM the pages that Intel's VMX needs to run real mode; AMD ignores them. Before the first vCPU.</summary>
    /// <param name="tss">Guest-physical address of three pages that the guest doesn't use.</param>
    /// <param name="identityMap">Guest-physical address of one such page.</param>
    public unsafe void SetReservedPages(ulong tss, ulong identityMap)
    {
        Call(KVM_SET_TSS_ADDR, (nint)tss, "KVM_SET_TSS_ADDR");
        // SAFETY: eight bytes, on the stack.
        Call(KVM_SET_IDENTITY_MAP_ADDR, &identityMap, "KVM_SET_IDENTITY_MAP_ADDR");
    }

    /// <summary>Creates the two PICs, the I/O APIC and each vCPU's local APIC in the kernel. Before the first vCPU.</summary>
    public void CreateInterruptControllers() => Call(KVM_CREATE_IRQCHIP, 0, "KVM_CREATE_IRQCHIP");

    /// <summary>Creates the interval timer (8254) in the kernel, with the speaker port 61h, which software uses for calibration.</summary>
    /// <remarks>
    /// A tick that the guest was too slow to take is lost, as on hardware. By default KVM injects missed ticks in close succession, which
    /// keeps time in a guest that counts ticks, but can stop all progress of a slow one, such as firmware on a busy host.
    /// </remarks>
    public unsafe void CreateTimer()
    {
        const uint KVM_PIT_SPEAKER_DUMMY = 1;
        var config = new kvm_pit_config { flags = KVM_PIT_SPEAKER_DUMMY };
        // SAFETY: one structure, on the stack.
        Call(KVM_CREATE_PIT2, &config, "KVM_CREATE_PIT2");
        var control = new kvm_reinject_control { pit_reinject = 0 };
        // SAFETY: one structure, on the stack.
        Call(KVM_REINJECT_CONTROL, &control, "KVM_REINJECT_CONTROL");
    }

    /// <summary>
    /// Makes accesses to MSRs that KVM does not know exit, as <see cref="KvmExit.ReadMsr"/> and <see cref="KvmExit.WriteMsr"/>, instead of
    /// raising a fault in the guest.
    /// </summary>
    /// <exception cref="LinuxException">KVM is older than Linux 5.10.</exception>
    public void HandOverUnknownMsrs()
    {
        const uint KVM_CAP_X86_USER_SPACE_MSR = 188;
        const ulong KVM_MSR_EXIT_REASON_UNKNOWN = 1 << 1;
        Enable(KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_UNKNOWN, "KVM_ENABLE_CAP X86_USER_SPACE_MSR");
    }

    /// <summary>
    /// Lets the guest's HLT halt the host's CPU itself, without an exit to KVM: the host counts the thread as running, and an interrupt
    /// need not wake it (KVM_CAP_X86_DISABLE_EXITS). Before the first vCPU.
    /// </summary>
    /// <returns>False when KVM does not allow it on this host.</returns>
    public bool KeepCpusInHalt()
    {
        const ulong KVM_X86_DISABLE_EXITS_HLT = 1 << 1;
        if (((ulong)CheckExtension(KvmCapability.DisableExits) & KVM_X86_DISABLE_EXITS_HLT) == 0)
            return false;
        Enable((uint)KvmCapability.DisableExits, KVM_X86_DISABLE_EXITS_HLT, "KVM_ENABLE_CAP X86_DISABLE_EXITS");
        return true;
    }

    /// <summary>Makes a vCPU.</summary>
    /// <param name="id">Its number, which is also its local APIC's id; vCPU 0 runs at once, the others wait to be started.</param>
    public KvmVcpu CreateVcpu(int id)
    {
        var fd = Call(KVM_CREATE_VCPU, id, "KVM_CREATE_VCPU");
        return new KvmVcpu(fd, _runSize);
    }

    /// <summary>Creates the device that tells KVM of a VM's VFIO groups. One for each VM.</summary>
    public unsafe KvmVfioDevice CreateVfioDevice()
    {
        const uint KVM_DEV_TYPE_VFIO = 4;
        var create = new kvm_create_device { type = KVM_DEV_TYPE_VFIO };
        // SAFETY: one structure, on the stack.
        Call(KVM_CREATE_DEVICE, &create, "KVM_CREATE_DEVICE vfio");
        return new KvmVfioDevice((int)create.fd);
    }

    /// <summary>The VM's statistics (KVM_GET_STATS_FD).</summary>
    /// <exception cref="LinuxException">KVM is older than Linux 5.14.</exception>
    public KvmStatistics OpenStatistics() => KvmStatistics.Open(Call(KVM_GET_STATS_FD, 0, "KVM_GET_STATS_FD"));

    private unsafe void Enable(uint capability, ulong argument, string name)
    {
        var enable = new kvm_enable_cap { cap = capability };
        enable.args[0] = argument;
        // SAFETY: one structure, on the stack.
        Call(KVM_ENABLE_CAP, &enable, name);
    }

    private int Call(uint request, nint argument, string name)
    {
        using var use = Use();
        return LinuxException.Check(Ioctl.ioctl(use.Fd, request, argument), name);
    }

    private unsafe int Call(uint request, void* argument, string name)
    {
        using var use = Use();
        return LinuxException.Check(Ioctl.ioctl(use.Fd, request, argument), name);
    }
}
