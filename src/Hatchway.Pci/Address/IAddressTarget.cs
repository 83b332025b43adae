namespace Hatchway.Pci.Address;

/// <summary>Something that answers reads and writes at an offset: a BAR, a block of an ISA device's registers.</summary>
/// <remarks>
/// Several vCPU threads may call at once. Calls neither throw nor allocate: where nothing can answer, a read gives all ones and a write is
/// dropped, as on hardware.
/// </remarks>
public interface IAddressTarget
{
    /// <summary>Reads <paramref name="width"/> bytes at <paramref name="offset"/>, little-endian, in the low bits of the result.</summary>
    /// <param name="offset">Bytes from the target's start; the access lies wholly inside the target. Not necessarily aligned.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    ulong Read(ulong offset, AccessWidth width);

    /// <summary>Writes the low <paramref name="width"/> bytes of <paramref name="value"/> at <paramref name="offset"/>.</summary>
    /// <param name="offset">Bytes from the target's start; the access lies wholly inside the target. Not necessarily aligned.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <param name="value">Little-endian value; bits above the width are zero.</param>
    void Write(ulong offset, AccessWidth width, ulong value);
}
