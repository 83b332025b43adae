using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>One access by the guest to a register that a handler owns.</summary>
/// <remarks>It lives on the vCPU thread's stack. <see cref="ReadHost()"/> and <see cref="WriteHost(ulong)"/> access the device's own
/// register.</remarks>
public readonly ref struct BarAccess
{
    private readonly IHostRegion? _region;

    /// <summary>Creates the description of an access.</summary>
    /// <param name="bar">The BAR.</param>
    /// <param name="offset">Bytes from the BAR's start.</param>
    /// <param name="handlerOffset">Bytes from the handler's first byte.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <param name="region">The host's region, or null.</param>
    public BarAccess(BarIndex bar, ulong offset, ulong handlerOffset, AccessWidth width, IHostRegion? region)
    {
        Bar = bar;
        Offset = offset;
        HandlerOffset = handlerOffset;
        Width = width;
        _region = region;
    }

    /// <summary>The BAR.</summary>
    public BarIndex Bar { get; }

    /// <summary>Bytes from the BAR's start.</summary>
    public ulong Offset { get; }

    /// <summary>Bytes from the first byte that the handler owns.</summary>
    public ulong HandlerOffset { get; }

    /// <summary>The width. The access lies wholly in the handler's range.</summary>
    public AccessWidth Width { get; }

    /// <summary>Reads the device's own register there; all ones when it does not answer.</summary>
    public ulong ReadHost() => ReadHost(Offset, Width);

    /// <summary>Writes the device's own register there; dropped when it does not answer.</summary>
    public void WriteHost(ulong value) => WriteHost(Offset, Width, value);

    /// <summary>Reads any of the device's own registers in the same BAR; all ones when nothing answers there.</summary>
    /// <param name="offset">Bytes from the BAR's start.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    public ulong ReadHost(ulong offset, AccessWidth width) =>
        Reaches(offset, width) && _region!.TryRead(offset, width, out var value) ? value : width.AllOnes();

    /// <summary>Reads the device's own register there, for a caller that must tell all ones from no answer.</summary>
    internal bool TryReadHost(out ulong value)
    {
        value = Width.AllOnes();
        return Reaches(Offset, Width) && _region!.TryRead(Offset, Width, out value);
    }

    /// <summary>Writes any of the device's own registers in the same BAR; dropped when nothing answers there.</summary>
    /// <param name="offset">Bytes from the BAR's start.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <param name="value">The value, in the low <paramref name="width"/> bytes; the others are ignored.</param>
    public void WriteHost(ulong offset, AccessWidth width, ulong value)
    {
        if (Reaches(offset, width))
            _region!.TryWrite(offset, width, value & width.AllOnes());
    }

    private bool Reaches(ulong offset, AccessWidth width) =>
        _region is not null && offset < _region.Size && (uint)width <= _region.Size - offset;
}

/// <summary>Answers for a register, or a range of them, in a BAR.</summary>
/// <remarks>
/// Several vCPU threads may call at once. When a handler throws, the guest gets the answer that hardware gives: a read returns all ones, a
/// write is dropped. Both are counted. In steady state a handler should allocate nothing, since a garbage collection stops every vCPU.
/// </remarks>
public interface IBarHandler
{
    /// <summary>Gives the value that the guest reads, in the low bits.</summary>
    ulong Read(in BarAccess access);

    /// <summary>Takes the value that the guest writes; bits above the width are zero.</summary>
    void Write(in BarAccess access, ulong value);
}
