using Hatchway.Pci.Address;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Bars;

/// <summary>The content of a BAR's register: a kind and an address, but no size (PCIe 6.0 §7.5.1.2.1).</summary>
/// <param name="Index">The register; the lower of the two for a 64-bit BAR.</param>
/// <param name="Kind">What it decodes.</param>
/// <param name="Address">Its bus address.</param>
/// <param name="Prefetchable">True for memory that may be prefetched.</param>
public readonly record struct BarRegister(BarIndex Index, BarKind Kind, ulong Address, bool Prefetchable)
{
    /// <summary>Reads the registers of a type 0 header. Those without an address are left out: they look like ones that are not
    /// implemented.</summary>
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

    /// <summary>Tells what a BAR decodes. BAR5 counts as 32-bit, whatever it says, since no register follows for an upper half.</summary>
    /// <param name="register">The register's value.</param>
    /// <param name="index">The register's index; not the ROM's.</param>
    internal static BarKind KindOf(uint register, BarIndex index) =>
        (register & BarBits.Io) != 0 ? BarKind.Io
        : (register & BarBits.TypeMask) == BarBits.Type64 && index.Value < BarIndex.BarCount - 1 ? BarKind.Memory64
        : BarKind.Memory32;
}
