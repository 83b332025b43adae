namespace Hatchway.Machine.Memory;

/// <summary>A piece of the guest's RAM: where the guest sees it, and where it lies in the host's block of RAM.</summary>
/// <param name="GuestPhysical">First guest-physical address.</param>
/// <param name="Offset">Bytes from the start of the guest's RAM, taken as one block without holes.</param>
/// <param name="Length">Bytes, at least 1.</param>
public readonly record struct RamRange(ulong GuestPhysical, ulong Offset, ulong Length)
{
    /// <summary>The first guest-physical address after it.</summary>
    public ulong End => GuestPhysical + Length;

    /// <summary>True when all bytes of a range lie in it; safe against overflow for any arguments.</summary>
    public bool Holds(ulong guestPhysical, ulong length) =>
        guestPhysical >= GuestPhysical && length <= Length && guestPhysical - GuestPhysical <= Length - length;
}

/// <summary>The guest's RAM by guest-physical address. The program implements it.</summary>
/// <remarks>Any thread may call; concurrent writes of other threads or of the guest may be seen in part.</remarks>
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
