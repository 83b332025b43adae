using Hatchway.Pci.Address;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Bars;

/// <summary>What a BAR's register says by itself: a kind and an address, but no size (PCIe 6.0 §7.5.1.2.1).</summary>
/// <param name="Index">Which register; the lower of the two for a 64-bit one.</param>
/// <param name="Kind">What it decodes.</param>
/// <param name="Address">Where, on the bus.</param>
/// <param name="Prefetchable">Memory that may be prefetched.</param>
public readonly record struct BarRegister(BarIndex Index, BarKind Kind, ulong Address, bool Prefetchable)
{
    /// <summary>Reads the registers of a type 0 header. Those without an address are left out: nobody can tell them from ones that are
    /// not there.</summary>
    public static IReadOnlyList<BarRegister> ReadAll(IHostConfigSpace config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var found = new List<BarRegister>();
        for (byte i = 0; i < BarIndex.BarCount; i++)
        {
            var register = config.ReadDword(Header.Bar0 + (4 * i));
            if (register is 0 or uint.MaxValue)
                continue;
            var index = new BarIndex(i);
            var kind = KindOf(register, index);
            ulong address = register & ~(kind == BarKind.Io ? BarBits.IoFlagsMask : BarBits.MemoryFlagsMask);
            if (kind == BarKind.Memory64)
            {
                i++;
                address |= (ulong)config.ReadDword(Header.Bar0 + (4 * i)) << 32;
            }
            found.Add(new BarRegister(index, kind, address, kind != BarKind.Io && (register & BarBits.Prefetchable) != 0));
        }
        var rom = config.ReadDword(Header.RomBar);
        if (rom != uint.MaxValue && (rom & BarBits.RomAddressMask) != 0)
            found.Add(new BarRegister(BarIndex.Rom, BarKind.Rom, rom & BarBits.RomAddressMask, false));
        return found;
    }

    /// <summary>What a BAR decodes by its register. The last is of 32 bits, whatever it says: no upper half follows it.</summary>
    /// <param name="register">What it reads as.</param>
    /// <param name="index">Which, and not the ROM's.</param>
    internal static BarKind KindOf(uint register, BarIndex index) =>
        (register & BarBits.Io) != 0 ? BarKind.Io
        : (register & BarBits.TypeMask) == BarBits.Type64 && index.Value < BarIndex.BarCount - 1 ? BarKind.Memory64
        : BarKind.Memory32;
}
