using System.Numerics;
using Hatchway.Pci.Address;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Bars;

/// <summary>What a BAR decodes.</summary>
public enum BarKind : byte
{
    /// <summary>I/O ports.</summary>
    Io,

    /// <summary>Memory, at a 32-bit address.</summary>
    Memory32,

    /// <summary>Memory, at a 64-bit address: two registers.</summary>
    Memory64,

    /// <summary>The expansion ROM.</summary>
    Rom,
}

/// <summary>One BAR as the guest sees it.</summary>
/// <param name="Index">Its register; the lower of the two for a 64-bit BAR.</param>
/// <param name="Kind">What it decodes.</param>
/// <param name="Size">Bytes that the register decodes, a power of two, at least 4 for I/O and 16 for memory.</param>
/// <param name="Prefetchable">The register's prefetchable bit.</param>
public readonly record struct BarDescription(BarIndex Index, BarKind Kind, ulong Size, bool Prefetchable)
{
    /// <summary>The address space that it answers in.</summary>
    public AddressSpaceKind Space => Kind == BarKind.Io ? AddressSpaceKind.Io : AddressSpaceKind.Memory;

    /// <summary>Offset of the register in config space.</summary>
    public ushort Register => (ushort)(Index == BarIndex.Rom ? Header.RomBar : Header.Bar0 + (4 * Index.Value));

    /// <summary>Bytes of the register: 4, or 8 for a 64-bit BAR.</summary>
    public int RegisterBytes => Kind == BarKind.Memory64 ? 8 : 4;

    /// <summary>The register's read-only low bits.</summary>
    public uint Flags => Kind switch
    {
        BarKind.Io => BarBits.Io,
        BarKind.Memory64 => BarBits.Type64 | (Prefetchable ? BarBits.Prefetchable : 0),
        BarKind.Memory32 => Prefetchable ? BarBits.Prefetchable : 0,
        _ => 0,
    };

    /// <summary>
    /// The register's address bits, which the guest can change. After all ones are written they read back as this mask, which gives the
    /// size.
    /// </summary>
    public ulong AddressMask => ~(Size - 1) & (Kind == BarKind.Memory64 ? ulong.MaxValue : uint.MaxValue);

    /// <summary>Reads a host function's BARs: kinds from its registers, sizes from its regions.</summary>
    /// <param name="config">The function's config space.</param>
    /// <param name="regionOf">Gives the host region of a BAR or the ROM, or null.</param>
    /// <returns>The BARs in rising order, without those that decode nothing.</returns>
    public static IReadOnlyList<BarDescription> Read(IHostConfigSpace config, Func<BarIndex, IHostRegion?> regionOf)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(regionOf);
        var bars = new List<BarDescription>();
        for (byte i = 0; i < BarIndex.BarCount; i++)
        {
            var register = config.ReadDword(Header.Bar0 + (4 * i));
            var index = new BarIndex(i);
            var kind = BarRegister.KindOf(register, index);
            if (regionOf(index) is { Size: > 0 } region)
            {
                var smallest = kind == BarKind.Io ? BarBits.SmallestIo : BarBits.SmallestMemory;
                bars.Add(new BarDescription(
                    index,
                    kind,
                    Math.Max(smallest, BitOperations.RoundUpToPowerOf2(region.Size)),
                    kind != BarKind.Io && (register & BarBits.Prefetchable) != 0));
            }
            if (kind == BarKind.Memory64)
                i++;
        }
        if (regionOf(BarIndex.Rom) is { Size: > 0 } rom)
        {
            bars.Add(new BarDescription(
                BarIndex.Rom, BarKind.Rom, Math.Max(BarBits.SmallestRom, BitOperations.RoundUpToPowerOf2(rom.Size)), false));
        }
        return bars;
    }
}
