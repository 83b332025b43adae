using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Memory;

/// <summary>A target of plain bytes that records its accesses, and rejects one that is not wholly inside.</summary>
internal sealed class BytesTarget(int length, byte first = 0) : IAddressTarget
{
    public byte[] Bytes { get; } = [.. Enumerable.Range(0, length).Select(i => (byte)(first + i))];

    public List<(ulong Offset, AccessWidth Width)> Accesses { get; } = [];

    public ulong Read(ulong offset, AccessWidth width)
    {
        Accesses.Add((offset, width));
        var value = 0ul;
        for (var i = 0; i < (int)width; i++)
            value |= (ulong)Bytes[(int)offset + i] << (8 * i);
        return value;
    }

    public void Write(ulong offset, AccessWidth width, ulong value)
    {
        Accesses.Add((offset, width));
        for (var i = 0; i < (int)width; i++)
            Bytes[(int)offset + i] = (byte)(value >> (8 * i));
    }
}

/// <summary>A target whose reads always give the same value.</summary>
internal sealed class ConstantTarget(ulong value) : IAddressTarget
{
    public ulong Read(ulong offset, AccessWidth width) => value;

    public void Write(ulong offset, AccessWidth width, ulong value)
    {
    }
}
