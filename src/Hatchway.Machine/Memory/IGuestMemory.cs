namespace Hatchway.Machine.Memory;

/// <summary>A piece of the guest's RAM.</summary>
/// <param name="GuestPhysical">Its first guest-physical address.</param>
/// <param name="Offset">Where it begins in the memory that backs the guest's RAM, in bytes.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct RamRange(ulong GuestPhysical, ulong Offset, ulong Length);

/// <summary>The guest's RAM as the machine writes to it before the guest runs.</summary>
public interface IGuestMemory
{
    /// <summary>Where RAM is, in ascending order.</summary>
    IReadOnlyList<RamRange> Ranges { get; }

    /// <summary>The bytes at an address.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are not wholly inside one range.</exception>
    Span<byte> Slice(ulong guestPhysical, int length);
}
