namespace Hatchway.Machine.Memory;

/// <summary>A piece of the guest's RAM: where the guest sees it, and where it lies in the RAM as one block.</summary>
/// <param name="GuestPhysical">First guest-physical address.</param>
/// <param name="Offset">Bytes from the start of the guest's RAM, taken as one block without holes.</param>
/// <param name="Length">Bytes, at least 1.</param>
public readonly record struct RamRange(ulong GuestPhysical, ulong Offset, ulong Length)
{
    /// <summary>The first guest-physical address after it.</summary>
    public ulong End => GuestPhysical + Length;

    /// <summary>True when all the bytes from an address on lie in it, whatever the numbers are.</summary>
    public bool Holds(ulong guestPhysical, ulong length) =>
        guestPhysical >= GuestPhysical && length <= Length && guestPhysical - GuestPhysical <= Length - length;
}

/// <summary>The guest's RAM by guest-physical address. The program implements it.</summary>
/// <remarks>Safe to call from any thread; what other threads and the guest write at the same time may be seen in part.</remarks>
public interface IGuestMemory
{
    /// <summary>Where there is RAM, in ascending order of address.</summary>
    IReadOnlyList<RamRange> Ranges { get; }

    /// <summary>The bytes at an address, to read or to change in place.</summary>
    /// <param name="guestPhysical">The first byte.</param>
    /// <param name="length">Bytes, at least 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">They do not lie wholly inside one <see cref="RamRange"/>.</exception>
    Span<byte> Slice(ulong guestPhysical, int length);
}
