using System.Buffers.Binary;

namespace Hatchway.Machine.Boot;

/// <summary>Reads the fields of a structure by their offsets.</summary>
internal readonly ref struct LittleEndianReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public ushort UInt16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_bytes[offset..]);

    public uint UInt32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes[offset..]);

    public ulong UInt64(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(_bytes[offset..]);
}

/// <summary>Writes the fields of a structure by their offsets.</summary>
internal readonly ref struct LittleEndianWriter(Span<byte> bytes)
{
    private readonly Span<byte> _bytes = bytes;

    public void UInt8(int offset, byte value) => _bytes[offset] = value;

    public void UInt16(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_bytes[offset..], value);

    public void UInt32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes[offset..], value);

    public void UInt64(int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_bytes[offset..], value);
}
