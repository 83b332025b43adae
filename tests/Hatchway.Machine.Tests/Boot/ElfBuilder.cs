using System.Buffers.Binary;

namespace Hatchway.Machine.Tests.Boot;

/// <summary>An ELF64 image with one segment of code, one with BSS, and a PVH note after another note.</summary>
internal sealed class ElfBuilder
{
    public const ulong CodeAddress = 0x20_0000;
    public const ulong DataAddress = 0x30_0000;
    public const int DataFileSize = 0x40;
    public const int DataMemorySize = 0x5000;

    private const int HeaderLength = 64;
    private const int SegmentLength = 56;
    private const int NoteOffset = HeaderLength + (3 * SegmentLength);
    private const int CodeOffset = 0x200;
    private const int DataOffset = CodeOffset + CodeLength;

    public const int CodeLength = 0x100;

    public ulong Entry { get; set; } = CodeAddress + 0x10;

    public uint NoteType { get; set; } = 18;

    public byte[] NoteValue { get; set; } = [];

    public byte[] Build()
    {
        var image = new byte[DataOffset + DataFileSize];
        new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(image, 0);
        UInt16(image, 16, 2);
        UInt16(image, 18, 62);
        UInt64(image, 32, HeaderLength);
        UInt16(image, 54, SegmentLength);
        UInt16(image, 56, 3);

        var notes = Notes();
        notes.CopyTo(image, NoteOffset);
        Segment(image, 0, 4, NoteOffset, 0, (ulong)notes.Length, (ulong)notes.Length);
        Segment(image, 1, 1, CodeOffset, CodeAddress, CodeLength, CodeLength);
        Segment(image, 2, 1, DataOffset, DataAddress, DataFileSize, DataMemorySize);
        image.AsSpan(CodeOffset, CodeLength).Fill(0xCC);
        image.AsSpan(DataOffset, DataFileSize).Fill(0xDD);
        return image;
    }

    private byte[] Notes()
    {
        var value = NoteValue;
        if (value.Length == 0)
        {
            value = new byte[8];
            UInt64(value, 0, Entry);
        }
        // A name and a value that need padding, which the walk must skip.
        byte[] other = [5, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, .. "Test\0"u8, 0, 0, 0, 1, 2, 3, 0];
        var header = new byte[12];
        UInt32(header, 0, 4);
        UInt32(header, 4, (uint)value.Length);
        UInt32(header, 8, NoteType);
        return [.. other, .. header, .. "Xen\0"u8, .. value];
    }

    private static void Segment(byte[] image, int index, uint kind, ulong offset, ulong address, ulong fileSize, ulong memorySize)
    {
        var at = HeaderLength + (index * SegmentLength);
        UInt32(image, at, kind);
        UInt64(image, at + 8, offset);
        UInt64(image, at + 24, address);
        UInt64(image, at + 32, fileSize);
        UInt64(image, at + 40, memorySize);
        UInt64(image, at + 48, 4);
    }

    private static void UInt16(byte[] image, int offset, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(offset), value);

    private static void UInt32(byte[] image, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(offset), value);

    private static void UInt64(byte[] image, int offset, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(offset), value);
}
