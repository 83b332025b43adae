using Hatchway.Pci.Bars;

namespace Hatchway.Machine.Memory;

/// <summary>Where RAM and the host bridge's windows are in the guest's physical address space.</summary>
public sealed class MemoryLayout
{
    private const ulong LowRamEnd = 0xC000_0000;
    private const ulong FourGiB = 1ul << 32;

    private MemoryLayout(IReadOnlyList<RamRange> ram, BridgeWindow mmio64) => (Ram, Mmio64) = (ram, mmio64);

    /// <summary>RAM: below 0xC000_0000, then from 4 GiB.</summary>
    public IReadOnlyList<RamRange> Ram { get; }

    /// <summary>The window for memory BARs below 4 GiB.</summary>
    public BridgeWindow Mmio32 { get; } = new(LowRamEnd, 0x2000_0000);

    /// <summary>The window for memory BARs above RAM; length zero when there is no room for one.</summary>
    public BridgeWindow Mmio64 { get; }

    /// <summary>The window for port BARs.</summary>
    public BridgeWindow Ports { get; } = new(0x1000, 0xF000);

    /// <summary>Where the config space of bus 0 is mapped, 1 MiB.</summary>
    public ulong EcamStart { get; } = 0xE000_0000;

    /// <summary>Lays out a machine.</summary>
    /// <param name="ramBytes">How much RAM.</param>
    /// <param name="physicalAddressBits">How wide the guest's physical addresses are.</param>
    public static MemoryLayout For(ulong ramBytes, int physicalAddressBits)
    {
        var low = Math.Min(ramBytes, LowRamEnd);
        var high = ramBytes - low;
        RamRange[] ram = high == 0 ? [new(0, 0, low)] : [new(0, 0, low), new(FourGiB, low, high)];
        var start = (FourGiB + high + (1ul << 30) - 1) & ~((1ul << 30) - 1);
        var end = 1ul << physicalAddressBits;
        return new(ram, start < end ? new(start, end - start) : default);
    }
}
