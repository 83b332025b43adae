using System.Runtime.InteropServices;

namespace Hatchway.Linux;

/// <summary>
/// A buffer with the alignment that direct I/O to any storage needs. Memory that is not aligned is copied through it; each thread that
/// needs one has its own.
/// </summary>
internal sealed class AlignedPiece
{
    /// <summary>Bytes of the buffer, a multiple of any block size (the kernel's and the option sectorsize's largest are 64 KiB).</summary>
    public const int Bytes = 64 << 10;

    private const int Alignment = 4096;

    [ThreadStatic]
    private static AlignedPiece? _ofThread;

    private readonly byte[] _memory = GC.AllocateUninitializedArray<byte>(Bytes + Alignment, pinned: true);
    private readonly int _start;

    private AlignedPiece()
    {
        var address = Marshal.UnsafeAddrOfPinnedArrayElement(_memory, 0);
        _start = (int)(-address & (Alignment - 1));
    }

    /// <summary>The calling thread's buffer, created on first use.</summary>
    public static AlignedPiece OfThread => _ofThread ??= new AlignedPiece();

    /// <summary>The memory of the buffer's first bytes.</summary>
    /// <param name="length">Number of bytes.</param>
    public HostRange First(int length) => new(Marshal.UnsafeAddrOfPinnedArrayElement(_memory, _start), (nuint)length);

    /// <summary>Copies between the buffer's first bytes and parts of memory.</summary>
    /// <param name="parts">The parts.</param>
    /// <param name="skip">Bytes to skip at the start of the parts.</param>
    /// <param name="length">Bytes to copy; the parts must have that many after the skipped ones.</param>
    /// <param name="isToParts">True to copy to the parts, false to copy from them.</param>
    public unsafe void Copy(ReadOnlySpan<HostRange> parts, nuint skip, int length, bool isToParts)
    {
        var piece = _memory.AsSpan(_start, length);
        foreach (ref readonly var part in parts)
        {
            if (skip >= part.Length)
            {
                skip -= part.Length;
                continue;
            }
            var count = (int)Math.Min(part.Length - skip, (nuint)piece.Length);
            // SAFETY: inside the part; the caller guarantees that its memory exists.
            var other = new Span<byte>((byte*)part.Address + skip, count);
            if (isToParts)
                piece[..count].CopyTo(other);
            else
                other.CopyTo(piece);
            piece = piece[count..];
            skip = 0;
            if (piece.IsEmpty)
                return;
        }
    }
}
