using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>A part of a region that the host allows to be mapped into a guest.</summary>
/// <param name="Offset">Bytes from the region's start, a multiple of the page size.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct MappableArea(ulong Offset, ulong Length)
{
    /// <summary>The first byte after it.</summary>
    public ulong End => Offset + Length;
}

/// <summary>One BAR or the ROM of a host function, with its real registers.</summary>
/// <remarks>Any thread may call. Each access reaches the device once, at the given width; it is never widened, merged or
/// repeated.</remarks>
public interface IHostRegion
{
    /// <summary>Bytes, as the device decodes them.</summary>
    ulong Size { get; }

    /// <summary>The parts that can be mapped, in rising order without overlap; empty for I/O ports.</summary>
    IReadOnlyList<MappableArea> MappableAreas { get; }

    /// <summary>Reads a register.</summary>
    /// <param name="offset">Bytes from the region's start; the access lies wholly inside the region. Not necessarily aligned.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <param name="value">Little-endian, in the low bits.</param>
    /// <returns>False when the device did not answer: <paramref name="value"/> is then all ones.</returns>
    bool TryRead(ulong offset, AccessWidth width, out ulong value);

    /// <summary>Writes a register.</summary>
    /// <param name="offset">As in <see cref="TryRead"/>.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <param name="value">Little-endian; bits above the width are zero.</param>
    /// <returns>False when the device did not answer.</returns>
    bool TryWrite(ulong offset, AccessWidth width, ulong value);

    /// <summary>Maps part of the region into the guest, which then accesses it without exits.</summary>
    /// <param name="offset">Within one of <see cref="MappableAreas"/>, page-aligned.</param>
    /// <param name="length">Bytes, a multiple of the page size.</param>
    /// <param name="guestPhysical">Guest-physical address, page-aligned.</param>
    /// <returns>
    /// The mapping, which disposing removes; or null when it can't be made, for a reason that the implementation logs. The guest's accesses
    /// are then trapped.
    /// </returns>
    IDisposable? TryMapIntoGuest(ulong offset, ulong length, ulong guestPhysical);

    /// <summary>The whole pages of registers to which a write is only a signal; null when the region has none.</summary>
    MappableArea? Doorbells => null;

    /// <summary>
    /// Delivers the guest's writes to the registers in <see cref="Doorbells"/> without an exit to user space. Called when the region is
    /// placed and no other target is in these pages, since wiring overrides every other target. A write that still arrives through
    /// <see cref="TryWrite"/> must have the same effect.
    /// </summary>
    /// <param name="guestPhysical">Guest-physical address of the region's start.</param>
    /// <returns>The wiring, which the caller disposes when the region is removed; null when there is nothing to wire.</returns>
    IDisposable? TryWireDoorbells(ulong guestPhysical) => null;
}
