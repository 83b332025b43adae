using System.Numerics;
using Hatchway.Pci.Address;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine.Memory;

/// <summary>The layout of the guest's physical address space.</summary>
/// <remarks>
/// <code>
/// 0                      RAM, up to 3 GiB of it
/// 0xC000_0000            32-bit PCI window, 512 MiB
/// 0xE000_0000            ECAM of bus 0, 1 MiB
/// 0xFEC0_0000            I/O APIC, 4 KiB
/// 0xFEE0_0000            local APIC, 4 KiB
/// 0xFEFF_C000            KVM's identity map page and TSS, 16 KiB
/// 4 GiB                  the rest of RAM
/// above RAM              64-bit PCI window, to the end of the CPU's or of the IOMMU's addresses, whichever is lower
/// </code>
/// Firmware expects its own windows (<see cref="ForFirmware"/>), so with firmware this differs:
/// <code>
/// 0x8000_0000            32-bit PCI window; from 0xC000_0000 when there is RAM above 2 GiB
/// 0xFC00_0000            ECAM of bus 0, 1 MiB
/// 0xFF00_0000            flash, ending at 4 GiB
/// </code>
/// and so do the ports for BARs and for ACPI's fixed hardware.
/// </remarks>
public sealed class MemoryLayout
{
    /// <summary>Bytes of a page; RAM is a whole number of pages.</summary>
    public const int PageSize = (int)GuestPage.Size;

    /// <summary>The highest end of RAM below 4 GiB.</summary>
    public const ulong LowRamEnd = 0xC000_0000;

    /// <summary>Where RAM continues above the devices.</summary>
    public const ulong HighRamStart = 1ul << 32;

    /// <summary>The I/O APIC, 4 KiB; the kernel answers there (<c>KVM_CREATE_IRQCHIP</c>).</summary>
    public const ulong IoApicAddress = 0xFEC0_0000;

    /// <summary>The local APICs, 4 KiB; the kernel answers there (Intel SDM volume 3, "Local APIC Status and Location").</summary>
    public const ulong LocalApicAddress = 0xFEE0_0000;

    /// <summary>One page for <c>KVM_SET_IDENTITY_MAP_ADDR</c>: KVM on Intel needs it for real mode.</summary>
    public const ulong IdentityMapAddress = 0xFEFF_C000;

    /// <summary>Three pages for <c>KVM_SET_TSS_ADDR</c>: KVM on Intel needs them for real mode.</summary>
    public const ulong TssAddress = 0xFEFF_D000;

    /// <summary>The fewest physical address bits that a layout supports: those of a processor without PAE.</summary>
    public const int MinimumPhysicalAddressBits = 32;

    private const ulong FirmwareWindowEnd = 0xFC00_0000;
    private const ulong SmallestRam = 1 << 20;

    // Coarser than any bridge needs, so that the addresses are easy for people to read.
    private const ulong WindowAlignment = 1ul << 30;

    // More bits would need a fifth level in the host's nested page tables, which its processor may lack though it has more address bits.
    private const int UsablePhysicalAddressBits = 48;

    private readonly string _mmio64Limit;

    private MemoryLayout(IReadOnlyList<RamRange> ram, ulong end, string limit)
    {
        Ram = ram;
        Mmio64 = WindowAbove(Math.Max(ram[^1].End, HighRamStart), end);
        _mmio64Limit = limit;
    }

    /// <summary>The lowest address at which flash may begin. It ends at 4 GiB, below which a CPU fetches its first instruction.</summary>
    public const ulong FlashStart = 0xFF00_0000;

    /// <summary>Where flash ends.</summary>
    public const ulong FlashEnd = HighRamStart;

    /// <summary>The guest's RAM in ascending order of address: one range from address 0, and a second when it exceeds
    /// <see cref="LowRamEnd"/>.</summary>
    public IReadOnlyList<RamRange> Ram { get; }

    /// <summary>The window for memory BARs below 4 GiB.</summary>
    public BridgeWindow Mmio32 { get; private init; } = new(LowRamEnd, 0x2000_0000);

    /// <summary>The window for memory BARs above RAM; its length is zero when the address space leaves no room.</summary>
    public BridgeWindow Mmio64 { get; }

    /// <summary>The window for I/O BARs: all ports that no ISA device decodes.</summary>
    public BridgeWindow Ports { get; private init; } = new(0x1000, 0xF000);

    /// <summary>The first port of ACPI's fixed hardware.</summary>
    public ushort PowerManagementPorts { get; private init; } = 0x600;

    /// <summary>All windows.</summary>
    public BridgeWindows Windows => new(Ports, Mmio32, Mmio64, _mmio64Limit);

    /// <summary>Where bus 0's config space is mapped in memory, <see cref="Ecam.BytesPerBus"/> bytes.</summary>
    public ulong EcamStart { get; private init; } = 0xE000_0000;

    /// <summary>Makes the layout of a guest without firmware.</summary>
    /// <param name="ramBytes">Bytes of RAM: whole pages of 4 KiB, 1 MiB to <see cref="MaximumRam"/>.</param>
    /// <param name="physicalAddressBits">The guest's physical address width (CPUID 0x8000_0008 EAX[7:0]), 32 to 52.</param>
    /// <exception cref="ArgumentOutOfRangeException">One of them is out of its range.</exception>
    public static MemoryLayout For(ulong ramBytes, int physicalAddressBits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ramBytes, SmallestRam);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ramBytes, MaximumRam(physicalAddressBits));
        ArgumentOutOfRangeException.ThrowIfNotEqual(ramBytes % PageSize, 0ul, nameof(ramBytes));
        var low = Math.Min(ramBytes, LowRamEnd);
        List<RamRange> ram = low == ramBytes
            ? [new(0, 0, low)]
            : [new(0, 0, low), new(HighRamStart, low, ramBytes - low)];
        return new MemoryLayout(ram, PhysicalEnd(physicalAddressBits), physicalAddressBits <= UsablePhysicalAddressBits
            ? $"the end of the CPU's {physicalAddressBits} address bits"
            : $"the end of {UsablePhysicalAddressBits} address bits, the most that are used");
    }

    /// <summary>The same layout with the 64-bit window cut to the IOMMU's range, beyond which one device can't reach another's
    /// BAR.</summary>
    /// <param name="last">The last address that the IOMMU can translate; <see cref="ulong.MaxValue"/> when unknown.</param>
    public MemoryLayout Within(ulong last) => Mmio64.Length == 0 || last >= Mmio64.End - 1
        ? this
        : new MemoryLayout(Ram, last + 1, $"the IOMMU's last address, 0x{last:x}");

    /// <summary>Makes the layout of a guest with firmware, which places the BARs itself.</summary>
    /// <remarks>
    /// On an i440FX, edk2's OVMF takes as its 32-bit window the range from RAM's end, rounded up so that one MTRR covers all from there to
    /// 4 GiB, up to FC000000h (OvmfPkg/Library/PlatformInitLib). It leaves a gap after that, where this layout puts the ECAM, which OVMF
    /// does not know of. The place of its 64-bit window depends on its version and on the CPU, but is always above RAM; so everything above
    /// RAM is forwarded. It gives BARs the ports from C000h on. It expects the PIIX4's power management at B000h, where it would have put
    /// it, and powers off there without reading PMBA (OvmfPkg/Include/OvmfPlatforms.h, OvmfPkg/Library/ResetSystemLib).
    /// </remarks>
    /// <inheritdoc cref="For"/>
    public static MemoryLayout ForFirmware(ulong ramBytes, int physicalAddressBits)
    {
        var layout = For(ramBytes, physicalAddressBits);
        var window = HighRamStart - (1ul << BitOperations.Log2(HighRamStart - layout.Ram[0].End));
        return new MemoryLayout(layout.Ram, PhysicalEnd(physicalAddressBits), layout._mmio64Limit)
        {
            Mmio32 = new(window, FirmwareWindowEnd - window),
            EcamStart = FirmwareWindowEnd,
            Ports = new(0xC000, 0x4000),
            PowerManagementPorts = 0xB000,
        };
    }

    /// <summary>The most RAM that a guest can have: all of its physical addresses except the last GiB below 4 GiB.</summary>
    /// <param name="physicalAddressBits">The guest's physical address width, 32 to 52; of more than 48 only 48 are used.</param>
    /// <exception cref="ArgumentOutOfRangeException">The width is out of its range.</exception>
    public static ulong MaximumRam(int physicalAddressBits) => PhysicalEnd(physicalAddressBits) - (HighRamStart - LowRamEnd);

    private static ulong PhysicalEnd(int physicalAddressBits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(physicalAddressBits, MinimumPhysicalAddressBits);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(physicalAddressBits, 52);
        return 1ul << Math.Min(physicalAddressBits, UsablePhysicalAddressBits);
    }

    // The window begins as low as possible, so that most of it lies within the range of an IOMMU with few address bits. Large BARs still
    // find aligned places in it, and smaller ones the room before them (BarAllocator).
    private static BridgeWindow WindowAbove(ulong ramEnd, ulong end)
    {
        var start = (ramEnd + WindowAlignment - 1) & ~(WindowAlignment - 1);
        return new BridgeWindow(start, end > start ? end - start : 0);
    }
}
