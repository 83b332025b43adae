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

/// <summary>One BAR as the guest is shown it.</summary>
/// <param name="Index">Which register; the lower of the two for a 64-bit one.</param>
/// <param name="Kind">What it decodes.</param>
/// <param name="Size">Bytes that the register decodes, a power of two, at least 4 for I/O and 16 for memory.</param>
/// <param name="Prefetchable">The register's prefetchable bit.</param>
public readonly record struct BarDescription(BarIndex Index, BarKind Kind, ulong Size, bool Prefetchable)
{
    /// <summary>Which address space it answers in.</summary>
    public AddressSpaceKind Space => Kind == BarKind.Io ? AddressSpaceKind.Io : AddressSpaceKind.Memory;

    /// <summary>Where the register is.</summary>
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
    /// The register's bits that hold an address: those a guest can change. Written as ones they read back as the size's mask.
    /// </summary>
    public ulong AddressMask => ~(Size - 1) & (Kind == BarKind.Memory64 ? ulong.MaxValue : uint.MaxValue);

    /// <summary>Reads a host function's BARs: kinds from its registers, sizes from its regions.</summary>
    /// <param name="config">The function's config space.</param>
    /// <param name="regionOf">The region behind a BAR or the ROM, or null.</param>
    /// <returns>In rising order; registers that decode nothing are left out.</returns>
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
