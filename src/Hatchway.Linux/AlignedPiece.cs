using System.Runtime.InteropServices;

namespace Hatchway.Linux;

/// <summary>
/// Memory as aligned as any storage wants that is gone to past the page cache. What lies elsewhere is copied through it; each thread that
/// has to has its own.
/// </summary>
internal sealed class AlignedPiece
{
    /// <summary>Bytes of it: whole blocks, as large as they come (VIRTIO's sectorsize and the kernel's end at 64 KiB).</summary>
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

    /// <summary>The calling thread's; made at the first time.</summary>
    public static AlignedPiece OfThread => _ofThread ??= new AlignedPiece();

    /// <summary>Where its first bytes are.</summary>
    /// <param name="length">How many.</param>
    public HostRange First(int length) => new(Marshal.UnsafeAddrOfPinnedArrayElement(_memory, _start), (nuint)length);

    /// <summary>Copies between its first bytes and parts of memory.</summary>
    /// <param name="parts">The parts.</param>
    /// <param name="skip">Bytes of them to leave out.</param>
    /// <param name="length">Bytes to copy; the parts have so many behind those.</param>
    /// <param name="isToParts">Which way.</param>
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
            // SAFETY: inside the part; that the memory is there is the caller's promise.
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
