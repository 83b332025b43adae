namespace Hatchway.Machine.Virtio.Devices;

/// <summary>What a disk's content is kept in. The program implements it.</summary>
/// <remarks>
/// Called by several workers at once. Nothing throws, and nothing is allocated. Offsets and lengths are in bytes, multiples of 512, and
/// inside <see cref="Length"/>.
/// </remarks>
public interface IBlockStorage
{
    /// <summary>Bytes, a multiple of 512.</summary>
    ulong Length { get; }

    /// <summary>Nothing can be written.</summary>
    bool IsReadOnly { get; }

    /// <summary>The smallest unit of an access, in bytes: the logical block, a power of two from 512 on.</summary>
    uint LogicalBlock { get; }

    /// <summary>Bytes that the storage itself works with: the physical block, a power of two, not below the logical.</summary>
    uint PhysicalBlock { get; }

    /// <summary>Ranges can be given back to the storage.</summary>
    bool CanDiscard { get; }

    /// <summary>Reads into the guest's memory.</summary>
    /// <returns>False when not all could be read.</returns>
    bool TryRead(ulong offset, ReadOnlySpan<GuestRange> target);

    /// <summary>Writes from the guest's memory.</summary>
    /// <returns>False when not all was written.</returns>
    bool TryWrite(ulong offset, ReadOnlySpan<GuestRange> source);

    /// <summary>Returns when all that was written before is where a loss of power does not reach it.</summary>
    /// <returns>False when that is not so.</returns>
    bool TryFlush();

    /// <summary>Gives a range back: what is read there afterwards is left open.</summary>
    bool TryDiscard(ulong offset, ulong length);

    /// <summary>Makes a range zeroes.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="mayDiscard">The range may be given back, if it reads as zeroes then.</param>
    bool TryWriteZeroes(ulong offset, ulong length, bool mayDiscard);
}
