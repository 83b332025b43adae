using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Hatchway.Machine.Acpi;

/// <summary>A table under construction: the common header, then fields by offset (ACPI 6.5 §5.2.6).</summary>
internal sealed class AcpiTable
{
    /// <summary>Bytes of the common header.</summary>
    public const int HeaderLength = 36;

    /// <summary>Offset of the checksum.</summary>
    public const int ChecksumOffset = 9;

    private const int LengthOffset = 4;
    private const int RevisionOffset = 8;
    private const int OemOffset = 10;

    private readonly byte[] _bytes;

    /// <summary>Starts a table of the given length, zero except for its header.</summary>
    public AcpiTable(string signature, byte revision, int length)
    {
        _bytes = new byte[length];
        Text(0, signature);
        UInt32(LengthOffset, (uint)length);
        _bytes[RevisionOffset] = revision;
        Text(OemOffset, OemId);
        Text(OemOffset + 6, "HATCHWAY");
        UInt32(OemOffset + 14, 1);
        Text(OemOffset + 18, "HTCH");
        UInt32(OemOffset + 22, 1);
    }

    /// <summary>The OEM id, six characters.</summary>
    public static string OemId => "HATCHW";

    public void UInt8(int offset, byte value) => _bytes[offset] = value;

    public void UInt16(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(offset), value);

    public void UInt32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(offset), value);

    public void UInt64(int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(offset), value);

    public void Bytes(int offset, ReadOnlySpan<byte> value) => value.CopyTo(_bytes.AsSpan(offset));

    /// <summary>The table with its checksum.</summary>
    public byte[] Finish()
    {
        _bytes[ChecksumOffset] = 0;
        _bytes[ChecksumOffset] = Checksum(_bytes);
        return _bytes;
    }

    /// <summary>The byte that makes a sum zero modulo 256.</summary>
    public static byte Checksum(ReadOnlySpan<byte> bytes)
    {
        var sum = 0;
        foreach (var value in bytes)
            sum += value;
        return (byte)-sum;
    }

    /// <summary>A number's bytes, as many as its type has.</summary>
    public static byte[] LittleEndian<T>(T value)
        where T : IBinaryInteger<T>
    {
        var bytes = new byte[value.GetByteCount()];
        value.WriteLittleEndian(bytes);
        return bytes;
    }

    private void Text(int offset, string text) => Encoding.ASCII.GetBytes(text, _bytes.AsSpan(offset));
}
