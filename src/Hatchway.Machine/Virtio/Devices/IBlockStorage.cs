namespace Hatchway.Machine.Virtio.Devices;

/// <summary>Stores a disk's content. The program implements it.</summary>
/// <remarks>
/// Called by several workers at once. Nothing throws, and nothing is allocated. Offsets and lengths are in bytes, multiples of 512, and
/// inside <see cref="Length"/>.
/// </remarks>
public interface IBlockStorage
{
    /// <summary>Bytes, a multiple of 512.</summary>
    ulong Length { get; }

    /// <summary>True when it can't be written.</summary>
    bool IsReadOnly { get; }

    /// <summary>The smallest unit of an access, in bytes: the logical block, a power of two and at least 512.</summary>
    uint LogicalBlock { get; }

    /// <summary>The storage's own unit, in bytes: the physical block, a power of two and at least the logical block.</summary>
    uint PhysicalBlock { get; }

    /// <summary>True when ranges can be discarded.</summary>
    bool CanDiscard { get; }

    /// <summary>Reads into the guest's memory.</summary>
    /// <returns>False when not all could be read.</returns>
    bool TryRead(ulong offset, ReadOnlySpan<GuestRange> target);

    /// <summary>Writes from the guest's memory.</summary>
    /// <returns>False when not all was written.</returns>
    bool TryWrite(ulong offset, ReadOnlySpan<GuestRange> source);

    /// <summary>Returns once all completed writes will survive a loss of power.</summary>
    /// <returns>False when they may not.</returns>
    bool TryFlush();

    /// <summary>Discards a range: its content is undefined afterwards.</summary>
    bool TryDiscard(ulong offset, ulong length);

    /// <summary>Zeroes a range.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="mayDiscard">The storage may be freed, if the range then reads as zeroes.</param>
    bool TryWriteZeroes(ulong offset, ulong length, bool mayDiscard);
}
