using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>One access by the guest to a register that a handler owns.</summary>
/// <remarks>Lives on the vCPU's stack. What lies behind can still be reached: <see cref="ReadHost"/> and <see cref="WriteHost"/>.</remarks>
public readonly ref struct BarAccess
{
    private readonly IHostRegion? _region;

    /// <summary>Describes an access.</summary>
    /// <param name="bar">Which BAR.</param>
    /// <param name="offset">Bytes from the BAR's start.</param>
    /// <param name="handlerOffset">Bytes from the handler's first byte.</param>
    /// <param name="width">1, 2, 4 or 8 bytes.</param>
    /// <param name="region">The host's region behind, or null.</param>
    public BarAccess(BarIndex bar, ulong offset, ulong handlerOffset, AccessWidth width, IHostRegion? region)
    {
        Bar = bar;
        Offset = offset;
        HandlerOffset = handlerOffset;
        Width = width;
        _region = region;
    }

    /// <summary>Which BAR.</summary>
    public BarIndex Bar { get; }

    /// <summary>Bytes from the BAR's start.</summary>
    public ulong Offset { get; }

    /// <summary>Bytes from the first byte that the handler owns.</summary>
    public ulong HandlerOffset { get; }

    /// <summary>How wide; the access lies wholly in what the handler owns.</summary>
    public AccessWidth Width { get; }

    /// <summary>Reads the device's own register there; all ones when it does not answer.</summary>
    public ulong ReadHost() => _region is not null && _region.TryRead(Offset, Width, out var value) ? value : Width.AllOnes();

    /// <summary>Writes the device's own register there; dropped when it does not answer.</summary>
    public void WriteHost(ulong value) => _region?.TryWrite(Offset, Width, value);
}

/// <summary>Answers for a register, or a range of them, in a BAR.</summary>
/// <remarks>
/// Called on a vCPU's thread, by several at once. A handler that throws is answered for as hardware would: a read gives all ones, a
/// write is dropped, and both are counted. In steady state it should allocate nothing: a collection stops every vCPU.
/// </remarks>
public interface IBarHandler
{
    /// <summary>What the guest reads, in the low bits.</summary>
    ulong Read(in BarAccess access);

    /// <summary>Takes what the guest writes; bits above the width are zero.</summary>
    void Write(in BarAccess access, ulong value);
}
