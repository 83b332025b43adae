using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Hatchway.Pci.Address;

/// <summary>The width of one access, in bytes. The numeric value is the number of bytes.</summary>
/// <remarks>Config space allows 1, 2 and 4 (PCIe 6.0 §2.2.7); memory BARs allow 8 as well.</remarks>
public enum AccessWidth : byte
{
    /// <summary>8 bits.</summary>
    Byte = 1,

    /// <summary>16 bits.</summary>
    Word = 2,

    /// <summary>32 bits.</summary>
    Dword = 4,

    /// <summary>64 bits.</summary>
    Qword = 8,
}

/// <summary>Operations that depend on an access's width.</summary>
public static class AccessWidthExtensions
{
    /// <summary>
    /// All ones at this width: the result of a read that nothing answers, as from a root complex when a request is not completed
    /// (PCIe 6.0 §2.3.2).
    /// </summary>
    public static ulong AllOnes(this AccessWidth width) => ulong.MaxValue >> (64 - (8 * (int)width));

    /// <summary>True for 1, 2, 4 and 8, the widths that a single access can have.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsValid(this AccessWidth width) =>
        width is AccessWidth.Byte or AccessWidth.Word or AccessWidth.Dword or AccessWidth.Qword;

    /// <summary>Reads a little-endian value of this width from a span's start.</summary>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <param name="bytes">At least that many bytes.</param>
    // 32 bits are tested first: every access to config space comes here, and most have that width.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Load(this AccessWidth width, ReadOnlySpan<byte> bytes) =>
        width == AccessWidth.Dword ? BinaryPrimitives.ReadUInt32LittleEndian(bytes)
        : width == AccessWidth.Word ? BinaryPrimitives.ReadUInt16LittleEndian(bytes)
        : width == AccessWidth.Byte ? bytes[0]
        : BinaryPrimitives.ReadUInt64LittleEndian(bytes);

    /// <summary>Writes a little-endian value of this width to a span's start.</summary>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <param name="bytes">At least that many bytes.</param>
    /// <param name="value">The value; bits above the width are ignored.</param>
    public static void Store(this AccessWidth width, Span<byte> bytes, ulong value)
    {
        switch (width)
        {
            case AccessWidth.Byte:
                bytes[0] = (byte)value;
                break;
            case AccessWidth.Word:
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)value);
                break;
            case AccessWidth.Dword:
                BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)value);
                break;
            default:
                BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
                break;
        }
    }

    /// <summary>
    /// The widest naturally aligned access that starts at <paramref name="offset"/> and stays within <paramref name="length"/> bytes.
    /// </summary>
    /// <param name="offset">Where the access starts.</param>
    /// <param name="length">Bytes left, at least 1.</param>
    public static AccessWidth WidestAligned(ulong offset, int length)
    {
        var width = 8;
        while (width > length || (offset & (uint)(width - 1)) != 0)
            width >>= 1;
        return (AccessWidth)width;
    }
}
