using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>A run of a region's pages that is mapped into guest-physical memory.</summary>
internal sealed record FakeMapping(FakeRegion Region, ulong Offset, ulong Length, ulong GuestPhysical);

/// <summary>A region whose bytes read as a pattern of their offsets, and which records accesses.</summary>
internal sealed class FakeRegion(string name, ulong size, CallLog log, params MappableArea[] mappable) : IHostRegion
{
    public ulong Size => size;

    public IReadOnlyList<MappableArea> MappableAreas => mappable;

    public List<FakeMapping> Mapped { get; } = [];

    /// <summary>Registers that read as they are set, such as MSI-X's pending bits; others read as the pattern.</summary>
    public (ulong Offset, byte[] Bytes) Pending { get; set; } = (0, []);

    /// <summary>True when the device does not answer.</summary>
    public bool Gone { get; set; }

    /// <summary>The area of registers that only signal.</summary>
    public MappableArea? Doorbells { get; set; }

    /// <summary>True to log accesses.</summary>
    public bool Recording { get; set; } = true;

    public static byte Pattern(ulong offset) => (byte)((offset * 37) ^ (offset >> 8) ^ 0x5A);

    public static ulong Pattern(ulong offset, AccessWidth width)
    {
        var value = 0ul;
        for (var i = (int)width - 1; i >= 0; i--)
            value = (value << 8) | Pattern(offset + (uint)i);
        return value;
    }

    public bool TryRead(ulong offset, AccessWidth width, out ulong value)
    {
        if (offset + (uint)width > size)
            Assert.Fail("a read beyond the region");
        value = Gone ? width.AllOnes() : Value(offset, width);
        if (Recording)
            log.Add($"{name}.read {offset:x} {(int)width}");
        return !Gone;
    }

    private ulong Value(ulong offset, AccessWidth width)
    {
        if (offset < Pending.Offset || offset + (uint)width > Pending.Offset + (ulong)Pending.Bytes.Length)
            return Pattern(offset, width);
        var value = 0ul;
        for (var i = (int)width - 1; i >= 0; i--)
            value = (value << 8) | Pending.Bytes[(int)(offset - Pending.Offset) + i];
        return value;
    }

    public bool TryWrite(ulong offset, AccessWidth width, ulong value)
    {
        if (offset + (uint)width > size || (value & ~width.AllOnes()) != 0)
            Assert.Fail("a write beyond the region or its own width");
        if (Recording)
            log.Add($"{name}.write {offset:x} {(int)width} {value:x}");
        return !Gone;
    }

    public IDisposable? TryMapIntoGuest(ulong offset, ulong length, ulong guestPhysical)
    {
        Assert.Equal(0ul, (offset | length | guestPhysical) & 0xFFF);
        Assert.Contains(mappable, area => area.Offset <= offset && offset + length <= ((area.End + 0xFFF) & ~0xFFFul));
        var mapping = new FakeMapping(this, offset, length, guestPhysical);
        Mapped.Add(mapping);
        log.Add($"{name}.map {offset:x} {length:x} at {guestPhysical:x}");
        return new Ending(() =>
        {
            Assert.True(Mapped.Remove(mapping), "a mapping was ended twice");
            log.Add($"{name}.unmap {offset:x} {length:x}");
        });
    }

    public IDisposable? TryWireDoorbells(ulong guestPhysical)
    {
        log.Add($"{name}.wire at {guestPhysical:x}");
        return new Ending(() => log.Add($"{name}.unwire"));
    }

    private sealed class Ending(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
