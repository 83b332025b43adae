using System.Buffers.Binary;
using System.Text;

namespace Hatchway.Machine.Smbios;

/// <summary>A structure under construction: the header, fields by offset, and the texts after them (DSP0134 2.8 §6.1).</summary>
internal sealed class SmbiosStructure
{
    private const int HandleOffset = 2;
    private readonly byte[] _fields;
    private readonly List<string> _texts = [];

    /// <param name="type">The structure's type.</param>
    /// <param name="length">Bytes of its fields, with the header's four.</param>
    /// <param name="handle">The handle by which other structures refer to it.</param>
    public SmbiosStructure(byte type, byte length, ushort handle)
    {
        _fields = new byte[length];
        _fields[0] = type;
        _fields[1] = length;
        UInt16(HandleOffset, handle);
    }

    public SmbiosStructure UInt8(int offset, byte value)
    {
        _fields[offset] = value;
        return this;
    }

    public SmbiosStructure UInt16(int offset, ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_fields.AsSpan(offset), value);
        return this;
    }

    public SmbiosStructure UInt32(int offset, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_fields.AsSpan(offset), value);
        return this;
    }

    public SmbiosStructure UInt64(int offset, ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_fields.AsSpan(offset), value);
        return this;
    }

    // The first three fields are little-endian since SMBIOS 2.6 (§7.2.1), as they are here.
    public SmbiosStructure Uuid(int offset, Guid value)
    {
        value.TryWriteBytes(_fields.AsSpan(offset));
        return this;
    }

    /// <summary>Adds a text and stores its number, counted from 1; an empty text has number 0.</summary>
    public SmbiosStructure Text(int offset, string value)
    {
        if (value.Length == 0)
            return this;
        _texts.Add(value);
        return UInt8(offset, (byte)_texts.Count);
    }

    /// <summary>Joins the fields, the zero-terminated texts, and a final zero; two zeroes when there is no text (§6.1.3).</summary>
    public byte[] Finish() =>
    [
        .. _fields,
        .. Encoding.ASCII.GetBytes(string.Concat(_texts.Select(static text => text + '\0'))),
        .. _texts.Count == 0 ? "\0\0"u8 : "\0"u8,
    ];
}
