using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>One BAR of a function in the guest's address space. Handlers answer for their ranges, the host's region for the
/// rest.</summary>
/// <remarks>
/// Several vCPU threads may access it at once. The function that owns the window serialises placing and removing. The whole BAR is a target
/// of the address space, and its direct pages are mapped over that by the hypervisor, so only accesses outside mappings get here.
/// </remarks>
public sealed class BarWindow : IAddressTarget
{
    private readonly IHostRegion _region;
    private readonly ulong _size;
    private readonly BarHandlerList _handlers;

    private readonly List<DirectPages> _direct = [];
    private long _reads;
    private long _writes;
    private long _failures;

    /// <summary>Creates a window for a BAR, which answers once it is placed.</summary>
    /// <param name="bar">The BAR.</param>
    /// <param name="region">The host's region.</param>
    /// <param name="handlers">The function's register handlers.</param>
    /// <param name="trapSubPage">True to trap a BAR smaller than a page, even where its page could be mapped.</param>
    public BarWindow(BarDescription bar, IHostRegion region, BarHandlerList handlers, bool trapSubPage = false)
    {
        ArgumentNullException.ThrowIfNull(region);
        ArgumentNullException.ThrowIfNull(handlers);
        Bar = bar;
        _region = region;
        _size = region.Size;
        _handlers = handlers;
        Segments = bar.Kind is BarKind.Io or BarKind.Rom
            ? [new BarSegment(0, _size, SegmentKind.Trapped)]
            : BarLayout.Divide(_size, trapSubPage && _size < GuestPage.Size ? [] : region.MappableAreas, handlers[bar.Index]);
    }

    /// <summary>The BAR.</summary>
    public BarDescription Bar { get; }

    /// <summary>Its parts, and how the guest reaches them.</summary>
    public IReadOnlyList<BarSegment> Segments { get; }

    /// <summary>The address where it answers now, or null.</summary>
    public ulong? Address { get; private set; }

    /// <summary>Number of trapped reads.</summary>
    public long Reads => Volatile.Read(ref _reads);

    /// <summary>Number of trapped writes.</summary>
    public long Writes => Volatile.Read(ref _writes);

    /// <summary>Number of accesses that a handler or the device failed to answer.</summary>
    public long Failures => Volatile.Read(ref _failures);

    /// <summary>The last exception that a handler threw, or null.</summary>
    public Exception? LastHandlerFailure { get; private set; }

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width)
    {
        Interlocked.Increment(ref _reads);
        var owner = _handlers.Find(Bar.Index, offset, out var until);
        return offset + (uint)width <= until ? ReadPiece(owner, offset, width) : ReadSplit(offset, width);
    }

    /// <inheritdoc/>
    public void Write(ulong offset, AccessWidth width, ulong value)
    {
        Interlocked.Increment(ref _writes);
        var owner = _handlers.Find(Bar.Index, offset, out var until);
        if (offset + (uint)width <= until)
            WritePiece(owner, offset, width, value);
        else
            WriteSplit(offset, width, value);
    }

    /// <summary>Places the BAR at an address: first as a target, then with its direct segments mapped.</summary>
    /// <returns>False when the host bridge does not forward that address; the BAR then answers nowhere.</returns>
    internal bool TryPlace(IGuestAddressMap map, ulong address)
    {
        if (!map.TryMap(Bar.Space, address, Bar.Size, this))
            return false;
        Address = address;
        foreach (var segment in Segments)
        {
            // Only whole pages can be mapped, so the guest's address must be page-aligned, too.
            if (segment.Kind == SegmentKind.Direct && GuestPage.IsAligned(address + segment.Offset))
                MapSegment(map, segment, address + segment.Offset);
        }
        if (_region.Doorbells is { } doorbells && GuestPage.IsAligned(address))
            Claim(map, address + doorbells.Offset, doorbells.Length, () => _region.TryWireDoorbells(address));
        return true;
    }

    /// <summary>Removes the BAR: mappings first, so that none ever exists without the target under it.</summary>
    internal void Remove(IGuestAddressMap map)
    {
        foreach (var pages in _direct)
            pages.End();
        _direct.Clear();
        if (Address is not null)
            map.Unmap(Bar.Space, this);
        Address = null;
    }

    // Mappings consist of whole pages, so a segment that ends inside a page claims the rest of it as well.
    private void MapSegment(IGuestAddressMap map, BarSegment segment, ulong guestPhysical)
    {
        var length = GuestPage.RoundUp(segment.Length);
        Claim(map, guestPhysical, length, () => _region.TryMapIntoGuest(segment.Offset, length, guestPhysical));
    }

    private void Claim(IGuestAddressMap map, ulong guestPhysical, ulong length, Func<IDisposable?> make)
    {
        var pages = new DirectPages(make);
        _direct.Add(pages);
        map.Claim(guestPhysical, length, this, pages);
        // Mapped here, not within Claim, since mapping a large range takes long and the map's lock is shared by all devices.
        pages.Begin();
    }

    private ulong ReadPiece(BarHandlerRange? owner, ulong offset, AccessWidth width) =>
        owner is null ? ReadRegion(offset, width) : ReadHandler(owner, offset, width);

    private ulong ReadRegion(ulong offset, AccessWidth width)
    {
        if (offset + (uint)width <= _size && _region.TryRead(offset, width, out var value))
            return value;
        Interlocked.Increment(ref _failures);
        return width.AllOnes();
    }

    private ulong ReadHandler(BarHandlerRange owner, ulong offset, AccessWidth width)
    {
        try
        {
            return owner.Handler.Read(new BarAccess(Bar.Index, offset, offset - owner.Offset, width, _region)) & width.AllOnes();
        }
#pragma warning disable CA1031 // A handler may be a user's code. Whatever it throws, the guest gets the answer that hardware gives.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            Note(failure);
            return width.AllOnes();
        }
    }

    private void WritePiece(BarHandlerRange? owner, ulong offset, AccessWidth width, ulong value)
    {
        if (owner is null)
            WriteRegion(offset, width, value);
        else
            WriteHandler(owner, offset, width, value);
    }

    private void WriteRegion(ulong offset, AccessWidth width, ulong value)
    {
        if (offset + (uint)width > _size || !_region.TryWrite(offset, width, value))
            Interlocked.Increment(ref _failures);
    }

    private void WriteHandler(BarHandlerRange owner, ulong offset, AccessWidth width, ulong value)
    {
        try
        {
            owner.Handler.Write(new BarAccess(Bar.Index, offset, offset - owner.Offset, width, _region), value);
        }
#pragma warning disable CA1031 // As above.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            Note(failure);
        }
    }

    private void Note(Exception failure)
    {
        LastHandlerFailure = failure;
        Interlocked.Increment(ref _failures);
    }

    // An access across a boundary between owners: each owner gets its part, in naturally aligned pieces.
    private ulong ReadSplit(ulong offset, AccessWidth width)
    {
        var value = 0ul;
        for (var done = 0; done < (int)width;)
        {
            var owner = _handlers.Find(Bar.Index, offset + (uint)done, out var until);
            var piece = Piece(offset + (uint)done, until, (int)width - done);
            value |= ReadPiece(owner, offset + (uint)done, piece) << (8 * done);
            done += (int)piece;
        }
        return value;
    }

    private void WriteSplit(ulong offset, AccessWidth width, ulong value)
    {
        for (var done = 0; done < (int)width;)
        {
            var owner = _handlers.Find(Bar.Index, offset + (uint)done, out var until);
            var piece = Piece(offset + (uint)done, until, (int)width - done);
            WritePiece(owner, offset + (uint)done, piece, (value >> (8 * done)) & piece.AllOnes());
            done += (int)piece;
        }
    }

    private static AccessWidth Piece(ulong offset, ulong until, int left) =>
        AccessWidthExtensions.WidestAligned(offset, (int)Math.Min((ulong)left, until - offset));
}
