using System.Numerics;
using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Bars;

/// <summary>An expansion ROM with given content, in place of the device's own (PCI Firmware 3.3 §5).</summary>
public sealed class RomImage : IHostRegion
{
    /// <summary>Largest size of an expansion ROM in bytes (PCIe 6.0 §7.5.1.2.4).</summary>
    public const int MaximumBytes = 16 << 20;

    private readonly byte[] _content;

    /// <summary>Creates a ROM from its content.</summary>
    /// <param name="content">2 to <see cref="MaximumBytes"/> bytes that begin with 55h AAh.</param>
    /// <exception cref="InvalidDataException">The content is not an expansion ROM, or is too large.</exception>
    public RomImage(ReadOnlySpan<byte> content)
    {
        if (content is not [0x55, 0xAA, ..])
            throw new InvalidDataException("not an expansion ROM: it does not begin with 55h AAh");
        if (content.Length > MaximumBytes)
            throw new InvalidDataException($"{content.Length} bytes are more than an expansion ROM can have, {MaximumBytes}");
        _content = content.ToArray();
    }

    /// <inheritdoc/>
    public ulong Size => Math.Max(BarBits.SmallestRom, BitOperations.RoundUpToPowerOf2((uint)_content.Length));

    /// <inheritdoc/>
    public IReadOnlyList<MappableArea> MappableAreas => [];

    /// <inheritdoc/>
    public bool TryRead(ulong offset, AccessWidth width, out ulong value)
    {
        value = width.AllOnes();
        for (var i = 0; i < (int)width && offset + (uint)i < (ulong)_content.Length; i++)
        {
            var shift = 8 * i;
            value = (value & ~(0xFFul << shift)) | ((ulong)_content[offset + (uint)i] << shift);
        }
        return true;
    }

    /// <summary>Does nothing, since a ROM is read-only.</summary>
    public bool TryWrite(ulong offset, AccessWidth width, ulong value) => true;

    /// <inheritdoc/>
    public IDisposable? TryMapIntoGuest(ulong offset, ulong length, ulong guestPhysical) => null;
}
