using Hatchway.Pci.Address;

namespace Hatchway.Pci.Bars;

/// <summary>
/// Pages of a placed BAR that the guest reaches without an exit, as mapped memory or wired doorbells, while no other target is in them.
/// </summary>
/// <param name="make">Maps or wires them; gives null when it can't.</param>
internal sealed class DirectPages(Func<IDisposable?> make) : IPageClaimant
{
    // Guards all fields below. Held while pages are mapped and unmapped, so taken before the region's and the VM's locks; also taken under
    // the address map's lock.
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
            _mapping ??= make();
    }

    private void Unmap()
    {
        _mapping?.Dispose();
        _mapping = null;
    }
}
