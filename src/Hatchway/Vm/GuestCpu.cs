using Hatchway.Linux.Kvm;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Boot;

namespace Hatchway.Vm;

/// <summary>What a guest's CPUs are and how they start (Intel SDM volume 3 chapters 4, 11 and 12; AMD APM volume 3 appendix E).</summary>
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

    // Set after a reset; without it Linux takes REP MOVSB and STOSB for slow.
    private const uint MiscellaneousEnable = 0x1A0;
    private const ulong FastStrings = 1 << 0;

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

    /// <summary>CPUID of one CPU: what KVM offers, with this CPU's place among <paramref name="cpus"/> cores of one package.</summary>
    public static IReadOnlyList<CpuidEntry> Cpuid(IReadOnlyList<CpuidEntry> supported, int id, int cpus, bool tscDeadline)
    {
        var entries = new List<CpuidEntry>(supported.Count + 3);
        foreach (var entry in supported)
        {
            if (entry.Function is not (ExtendedTopology or ExtendedTopologyV2))
                entries.Add(Place(entry, (uint)id, (uint)cpus, tscDeadline));
            else if (entry.Function == ExtendedTopology && entry.Index == 0)
                entries.AddRange(Topology((uint)id, (uint)cpus));
        }
        return entries;
    }

    /// <summary>Brings a CPU into the state in which firmware would hand it to a kernel; the first also gets the kernel's own.</summary>
    /// <param name="vcpu">The CPU, as KVM makes it: after a reset, at F000:FFF0.</param>
    /// <param name="isFirst">It is the one that starts.</param>
    /// <param name="boot">How it starts; null when there is firmware to bring it there, which wants it as it is.</param>
    /// <param name="physicalAddressBits">Its physical address width.</param>
    public static void Start(KvmVcpu vcpu, bool isFirst, BootState? boot, int physicalAddressBits)
    {
        vcpu.SetMsrs([new(MiscellaneousEnable, FastStrings)]);
        if (boot is null)
            return;
        SetMemoryTypes(vcpu, physicalAddressBits);
        if (!isFirst)
            return;
        vcpu.SetLocalApic([(LocalInterrupt0, ExternalInterrupt), (LocalInterrupt1, NonMaskable)]);
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

    private static CpuidEntry Place(CpuidEntry entry, uint id, uint cpus, bool tscDeadline) => entry.Function switch
    {
        1 => entry with
        {
            Ebx = (entry.Ebx & 0xFFFF) | (Math.Min(cpus, 255) << 16) | (id << 24),
            Ecx = (entry.Ecx & ~TscDeadline) | Hypervisor | (tscDeadline ? TscDeadline : 0),
            Edx = cpus > 1 ? entry.Edx | HyperThreading : entry.Edx & ~HyperThreading,
        },
        // Intel's caches: none but the last level is shared, and that by all; cores per package in EAX[31:26].
        4 when (entry.Eax & 0x1F) != 0 => entry with
        {
            Eax = (entry.Eax & 0x3FFF) | SharedBy(entry.Eax, cpus) | (Math.Min(RoundUp(cpus) - 1, 63) << 26),
        },
        // AMD: number of cores less one, and the bits of the APIC id that count them.
        AddressSizes => entry with { Ecx = (cpus - 1) | (Log2(cpus) << 12) },
        // AMD's caches, in Intel's form.
        AmdCaches when (entry.Eax & 0x1F) != 0 => entry with { Eax = (entry.Eax & 0x3FFF) | SharedBy(entry.Eax, cpus) },
        AmdTopology => entry with { Eax = id, Ebx = id & 0xFF, Ecx = 0 },
        _ => entry,
    };

    // KVM offers sub-leaf 0 only, and empty. Sub-leaf 0: one thread a core; 1: the cores of the package; then no more.
    private static CpuidEntry[] Topology(uint id, uint cpus) =>
    [
        new(ExtendedTopology, 0, SignificantIndex, Eax: 0, Ebx: 1, Ecx: 0x100, Edx: id),
        new(ExtendedTopology, 1, SignificantIndex, Eax: Log2(cpus), Ebx: cpus, Ecx: 0x201, Edx: id),
        new(ExtendedTopology, 2, SignificantIndex, Eax: 0, Ebx: 0, Ecx: 2, Edx: id),
    ];

    // EAX[25:14]: how many share the cache, less one. Caches of level 3 and up are the package's, the others a core's.
    private static uint SharedBy(uint eax, uint cpus) => ((eax >> 5) & 7) >= 3 ? (RoundUp(cpus) - 1) << 14 : 0;

    private static uint Log2(uint cpus) => (uint)System.Numerics.BitOperations.Log2(RoundUp(cpus));

    private static uint RoundUp(uint cpus) => System.Numerics.BitOperations.RoundUpToPowerOf2(cpus);

    // RAM is cached and the last GiB below 4 GiB, with the 32-bit window and the APICs, is not; as firmware leaves it.
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
