using System.Buffers.Binary;
using System.Text;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Tests.Boot;

/// <summary>Guest RAM in an array: the first part of a layout's low RAM, or all of it.</summary>
internal sealed class ArrayMemory : IGuestMemory
{
    private readonly byte[] _bytes;

    public ArrayMemory(int length)
    {
        _bytes = new byte[length];
        Ranges = [new(0, 0, (ulong)length)];
    }

    public IReadOnlyList<RamRange> Ranges { get; }

    public Span<byte> Slice(ulong guestPhysical, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(guestPhysical, (ulong)_bytes.Length);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)length, (ulong)_bytes.Length - guestPhysical);
        return _bytes.AsSpan((int)guestPhysical, length);
    }

    /// <summary>Fills it with a value, as an earlier guest might have left it.</summary>
    public ArrayMemory Filled(byte value)
    {
        _bytes.AsSpan().Fill(value);
        return this;
    }

    public byte UInt8(ulong address) => Slice(address, 1)[0];

    public ushort UInt16(ulong address) => BinaryPrimitives.ReadUInt16LittleEndian(Slice(address, 2));

    public uint UInt32(ulong address) => BinaryPrimitives.ReadUInt32LittleEndian(Slice(address, 4));

    public ulong UInt64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Slice(address, 8));

    public string Text(ulong address)
    {
        var rest = Slice(address, _bytes.Length - (int)address);
        return Encoding.UTF8.GetString(rest[..rest.IndexOf((byte)0)]);
    }
}
