using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>A direct segment of a BAR that answers: mapped into the guest while its pages there are the BAR's alone.</summary>
internal sealed class DirectPages(IHostRegion region, ulong offset, ulong length, ulong guestPhysical) : IPageClaimant
{
    // Guards all below, and is held while the region is mapped and unmapped. A leaf; taken under the address map's lock, too.
    private readonly Lock _gate = new();
    private bool _areOurs = true;
    private bool _ended;
    private IDisposable? _mapping;

    /// <summary>Maps the pages, unless they have been lost.</summary>
    public void Begin()
    {
        lock (_gate)
            MapIfOurs();
    }

    /// <summary>Unmaps them for good.</summary>
    public void End()
    {
        lock (_gate)
        {
            _ended = true;
            Unmap();
        }
    }

    /// <inheritdoc/>
    public void Lose()
    {
        lock (_gate)
        {
            _areOurs = false;
            Unmap();
        }
    }

    /// <inheritdoc/>
    public void Gain()
    {
        lock (_gate)
        {
            _areOurs = true;
            MapIfOurs();
        }
    }

    private void MapIfOurs()
    {
        if (_areOurs && !_ended)
            _mapping ??= region.TryMapIntoGuest(offset, length, guestPhysical);
    }

    private void Unmap()
    {
        _mapping?.Dispose();
        _mapping = null;
    }
}
