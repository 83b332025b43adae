using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>A part of a region that the host lets be mapped into a guest.</summary>
/// <param name="Offset">Bytes from the region's start, a multiple of the page size.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct MappableArea(ulong Offset, ulong Length)
{
    /// <summary>The first byte after it.</summary>
    public ulong End => Offset + Length;
}

/// <summary>One BAR or the ROM of the host function behind, with real registers in it.</summary>
/// <remarks>Any thread may call. An access reaches the device at the width given, once; it is never widened, merged or repeated.</remarks>
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
    /// <param name="offset">As of a read.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <param name="value">Little-endian; bits above the width are zero.</param>
    /// <returns>False when the device did not take it.</returns>
    bool TryWrite(ulong offset, AccessWidth width, ulong value);

    /// <summary>Lets the guest reach part of the region without an exit.</summary>
    /// <param name="offset">Within one of <see cref="MappableAreas"/>, page-aligned.</param>
    /// <param name="length">Bytes, a multiple of the page size.</param>
    /// <param name="guestPhysical">Where in guest-physical memory, page-aligned.</param>
    /// <returns>
    /// The mapping, which ends when disposed; or null when it can't be made (the implementation says why in its log): the guest's accesses
    /// are then trapped instead.
    /// </returns>
    IDisposable? TryMapIntoGuest(ulong offset, ulong length, ulong guestPhysical);

    /// <summary>The whole pages with registers that only signal; null for a region without such.</summary>
    MappableArea? Doorbells => null;

    /// <summary>
    /// Delivers the guest's writes to the registers in <see cref="Doorbells"/> to whoever waits for them, without an exit. Called when the
    /// region is placed and these pages are its own there, since wiring overrides whatever else answers. A write that still arrives by
    /// <see cref="TryWrite"/> must do the same.
    /// </summary>
    /// <param name="guestPhysical">Where the region begins in guest-physical memory.</param>
    /// <returns>Disposed when the region is taken away; null when there is nothing to wire.</returns>
    IDisposable? TryWireDoorbells(ulong guestPhysical) => null;
}
