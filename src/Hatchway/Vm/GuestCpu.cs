using Hatchway.CommandLine;
using Hatchway.Linux.Kvm;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Boot;

namespace Hatchway.Vm;

/// <summary>The guest's CPUs: their CPUID and initial state (Intel SDM volume 3 chapters 4, 11 and 12; AMD APM volume 3 appendix
/// E).</summary>
internal static class GuestCpu
{
    private const uint ExtendedTopology = 0xB;
    private const uint ExtendedTopologyV2 = 0x1F;
    private const uint AddressSizes = 0x8000_0008;
    private const uint AmdCaches = 0x8000_001D;
    private const uint AmdTopology = 0x8000_001E;

    // KVM_CPUID_FLAG_SIGNIFCANT_INDEX
    private const uint SignificantIndex = 1;
    private const int DefaultPhysicalBits = 36;

    // CPUID.1:ECX
    private const uint X2Apic = 1u << 21;
    private const uint TscDeadline = 1u << 24;
    private const uint Hypervisor = 1u << 31;

    // CPUID.1:EDX
    private const uint HyperThreading = 1u << 28;

    private const ulong Cr0ProtectionEnable = 1 << 0;
    private const ulong Cr0ExtensionType = 1 << 4;
    private const ulong Cr0NumericError = 1 << 5;
    private const ulong Cr0WriteProtect = 1 << 16;
    private const ulong Cr0Paging = 1ul << 31;
    private const ulong Cr4PhysicalAddressExtension = 1 << 5;
    private const ulong EferLongModeEnable = 1 << 8;
    private const ulong EferLongModeActive = 1 << 10;

    private const byte CodeType = 0xB;
    private const byte DataType = 0x3;
    private const byte BusyTaskType = 0xB;

    // Set by a reset; without it Linux assumes that REP MOVSB and STOSB are slow.
    private const uint MiscellaneousEnable = 0x1A0;
    private const ulong FastStrings = 1 << 0;

    // IA32_APIC_BASE (Intel SDM volume 3 §11.12.1).
    private const uint ApicBase = 0x1B;
    private const ulong ApicBootCpu = 1 << 8;
    private const ulong ApicX2Mode = 1 << 10;
    private const ulong ApicEnable = 1 << 11;

    private const uint MtrrPhysicalBase0 = 0x200;
    private const uint MtrrPhysicalMask0 = 0x201;
    private const uint MtrrDefaultType = 0x2FF;
    private const ulong MtrrWriteBack = 6;
    private const ulong MtrrUncacheable = 0;
    private const ulong MtrrValid = 1 << 11;
    private const ulong MtrrEnable = 1 << 11;

    private const int LocalInterrupt0 = 0x350;
    private const int LocalInterrupt1 = 0x360;
    private const uint ExternalInterrupt = 7 << 8;
    private const uint NonMaskable = 4 << 8;

    /// <summary>Physical address bits of the CPUs that KVM offers (CPUID 80000008h EAX[7:0]).</summary>
    public static int PhysicalAddressBits(IReadOnlyList<CpuidEntry> supported)
    {
        foreach (var entry in supported)
        {
            if (entry.Function == AddressSizes)
                return (int)(entry.Eax & 0xFF);
        }
        return DefaultPhysicalBits;
    }

    /// <summary>Makes one CPU's CPUID leaves: those that KVM supports, with this CPU's place in the topology.</summary>
    /// <param name="supported">The leaves that KVM supports.</param>
    /// <param name="cpu">The CPU's index.</param>
    /// <param name="topology">The topology of all CPUs.</param>
    /// <param name="tscDeadline">True when KVM's local APIC timer supports TSC deadlines.</param>
    /// <param name="x2Apic">True when the guest may use x2APIC mode, if KVM supports it.</param>
    /// <param name="addressBits">Physical address bits; no more than KVM supports.</param>
    public static IReadOnlyList<CpuidEntry> Cpuid(
        IReadOnlyList<CpuidEntry> supported, int cpu, CpuTopology topology, bool tscDeadline, bool x2Apic, int addressBits)
    {
        var id = topology.ApicId(cpu);
        var entries = new List<CpuidEntry>(supported.Count + 6);
        foreach (var entry in supported)
        {
            if (entry.Function == AddressSizes)
                entries.Add(Sizes(entry, topology, addressBits));
            else if (entry.Function is not (ExtendedTopology or ExtendedTopologyV2))
                entries.Add(Place(entry, id, topology, tscDeadline, x2Apic));
            else if (entry.Index == 0)
                entries.AddRange(Topology(entry.Function, id, topology));
        }
        return entries;
    }

    /// <summary>Sets a CPU's state as firmware would leave it for a kernel; the first CPU also gets the kernel's boot state.</summary>
    /// <param name="vcpu">The CPU as KVM makes it: after a reset, at F000:FFF0.</param>
    /// <param name="isFirst">True for the boot CPU.</param>
    /// <param name="boot">The first CPU's boot state; null with firmware, which expects the state after a reset.</param>
    /// <param name="physicalAddressBits">Physical address bits of all CPUs.</param>
    /// <param name="x2Apic">True when its local APIC starts in x2APIC mode.</param>
    public static void Start(KvmVcpu vcpu, bool isFirst, BootState? boot, int physicalAddressBits, bool x2Apic)
    {
        // Beside it KVM says what the CPU lacks, as branch trace storage.
        vcpu.SetMsrs([new(MiscellaneousEnable, vcpu.GetMsr(MiscellaneousEnable) | FastStrings)]);
        if (isFirst && boot is not null)
            vcpu.SetLocalApic([(LocalInterrupt0, ExternalInterrupt), (LocalInterrupt1, NonMaskable)]);
        // After the local APIC's registers, whose layout x2APIC mode changes.
        if (x2Apic)
            vcpu.SetMsrs([new(ApicBase, MemoryLayout.LocalApicAddress | ApicEnable | ApicX2Mode | (isFirst ? ApicBootCpu : 0))]);
        if (boot is null)
            return;
        SetMemoryTypes(vcpu, physicalAddressBits);
        if (!isFirst)
            return;
        var is64Bit = boot.Mode == CpuMode.Long64;
        var protectedMode = Cr0ProtectionEnable | Cr0ExtensionType | Cr0NumericError;
        vcpu.SetSystemRegisters(new SystemRegisters(
            new Segment(boot.CodeSelector, 0, uint.MaxValue, CodeType, IsSystem: false, is64Bit, Is32Bit: !is64Bit),
            new Segment(boot.DataSelector, 0, uint.MaxValue, DataType, IsSystem: false, Is64Bit: false, Is32Bit: true),
            new Segment(boot.TaskSelector, 0, 0x67, BusyTaskType, IsSystem: true, Is64Bit: false, Is32Bit: false),
            boot.GdtBase,
            boot.GdtLimit,
            is64Bit ? protectedMode | Cr0WriteProtect | Cr0Paging : protectedMode,
            boot.PageTable,
            is64Bit ? Cr4PhysicalAddressExtension : 0,
            is64Bit ? EferLongModeEnable | EferLongModeActive : 0));
        vcpu.SetRegisters(new GeneralRegisters
        {
            Rip = boot.EntryPoint,
            Rsp = boot.StackPointer,
            Rsi = boot.Rsi,
            Rbx = boot.Rbx,
        });
    }

    private static CpuidEntry Place(CpuidEntry entry, uint id, CpuTopology topology, bool tscDeadline, bool x2Apic) => entry.Function switch
    {
        // EBX[23:16]: the number of ids that a package has room for.
        1 => entry with
        {
            Ebx = (entry.Ebx & 0xFFFF) | (Math.Min(1u << topology.SocketBits, 255) << 16) | (id << 24),
            Ecx = (entry.Ecx & ~(TscDeadline | (x2Apic ? 0 : X2Apic))) | Hypervisor | (tscDeadline ? TscDeadline : 0),
            Edx = topology.SocketBits > 0 ? entry.Edx | HyperThreading : entry.Edx & ~HyperThreading,
        },
        // Intel's caches. EAX[31:26]: the number of core ids in a package, less one.
        4 when (entry.Eax & 0x1F) != 0 => entry with
        {
            Eax = (entry.Eax & 0x3FFF)
                | SharedBy(entry.Eax, topology)
                | (Math.Min((1u << (topology.SocketBits - topology.ThreadBits)) - 1, 63) << 26),
        },
        // AMD's caches, in the format of Intel's leaf.
        AmdCaches when (entry.Eax & 0x1F) != 0 => entry with { Eax = (entry.Eax & 0x3FFF) | SharedBy(entry.Eax, topology) },
        // EBX: the core's id, and from bit 8 its number of threads less one. ECX: the node's id; each package is one node.
        AmdTopology => entry with
        {
            Eax = id,
            Ebx = ((id >> topology.ThreadBits) & 0xFF) | ((uint)(topology.Threads - 1) << 8),
            Ecx = (id >> topology.SocketBits) & 0xFF,
        },
        _ => entry,
    };

    // Address sizes; and AMD's number of CPUs in a package, less one, with the number of APIC id bits for them.
    private static CpuidEntry Sizes(CpuidEntry entry, CpuTopology topology, int addressBits) => entry with
    {
        // Bits 23:16 zero: the guest's page tables have the same width (AMD64 volume 3, Fn8000_0008).
        Eax = (entry.Eax & ~0xFF_00FFu) | (uint)addressBits,
        Ecx = (uint)((topology.Cores * topology.Threads) - 1) | ((uint)topology.SocketBits << 12),
    };

    // KVM supports only an empty sub-leaf 0. Sub-leaf 0: a core's threads; 1: the package's CPUs; 2: the end. Both leaves are alike.
    private static CpuidEntry[] Topology(uint function, uint id, CpuTopology topology) =>
    [
        new(function, 0, SignificantIndex, Eax: (uint)topology.ThreadBits, Ebx: (uint)topology.Threads, Ecx: 0x100, Edx: id),
        new(
            function, 1, SignificantIndex,
            Eax: (uint)topology.SocketBits, Ebx: (uint)(topology.Cores * topology.Threads), Ecx: 0x201, Edx: id),
        new(function, 2, SignificantIndex, Eax: 0, Ebx: 0, Ecx: 2, Edx: id),
    ];

    // EAX[25:14]: the number of ids that share the cache, less one. A package shares caches from level 3 on, a core the others.
    private static uint SharedBy(uint eax, CpuTopology topology) =>
        ((1u << (((eax >> 5) & 7) >= 3 ? topology.SocketBits : topology.ThreadBits)) - 1) << 14;

    // As firmware leaves it: RAM is write-back; the last GiB below 4 GiB, with the 32-bit window and the APICs, is uncacheable.
    private static void SetMemoryTypes(KvmVcpu vcpu, int physicalAddressBits)
    {
        const ulong HoleBytes = (1ul << 32) - MemoryLayout.LowRamEnd;
        var addressMask = (1ul << physicalAddressBits) - 1;
        vcpu.SetMsrs(
        [
            new(MtrrPhysicalBase0, MemoryLayout.LowRamEnd | MtrrUncacheable),
            new(MtrrPhysicalMask0, (~(HoleBytes - 1) & addressMask) | MtrrValid),
            new(MtrrDefaultType, MtrrWriteBack | MtrrEnable),
        ]);
    }
}
