using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Machine.Memory;

/// <summary>The machine's address spaces as the host bridge shows them to PCI functions: its windows and nothing else.</summary>
/// <remarks>
/// A guest may write any address into a BAR. One outside the windows decodes nowhere, so a BAR can't be laid over RAM, the ECAM or an
/// interrupt controller. Two BARs at one address are the guest's mistake; the one that came first answers. Any thread.
/// </remarks>
/// <param name="memory">The guest's physical memory.</param>
/// <param name="ports">The guest's I/O ports.</param>
/// <param name="layout">Where the windows are.</param>
public sealed class MachineAddressMap(AddressSpace memory, AddressSpace ports, MemoryLayout layout) : IGuestAddressMap
{
    private const ulong PageSize = 4096;

    // Guards both tables and is held while they and the address space change together, and while a claim is given up.
    private readonly Lock _gate = new();
    private readonly Dictionary<IAddressTarget, (ulong Start, ulong End)> _inMemory = [];
    private readonly Dictionary<ulong, (IAddressTarget Owner, Action GiveUp)> _claims = [];

    /// <inheritdoc/>
    public bool TryMap(AddressSpaceKind kind, ulong start, ulong length, IAddressTarget target)
    {
        var forwarded = kind == AddressSpaceKind.Port
            ? Holds(layout.Ports, start, length)
            : Holds(layout.Mmio32, start, length) || Holds(layout.Mmio64, start, length);
        if (!forwarded)
            return false;
        if (kind == AddressSpaceKind.Port)
        {
            ports.Map(start, length, target);
            return true;
        }
        lock (_gate)
        {
            memory.Map(start, length, target);
            _inMemory.Add(target, (start, start + length));
            EndClaims(start, start + length);
        }
        return true;
    }

    /// <inheritdoc/>
    public bool TryClaimPage(ulong page, IAddressTarget owner, Action giveUp)
    {
        lock (_gate)
        {
            foreach (var (target, (start, end)) in _inMemory)
            {
                if (target != owner && start < page + PageSize && page < end)
                    return false;
            }
            _claims.Add(page, (owner, giveUp));
            return true;
        }
    }

    /// <inheritdoc/>
    public void Unmap(AddressSpaceKind kind, IAddressTarget target)
    {
        if (kind == AddressSpaceKind.Port)
        {
            ports.Unmap(target);
            return;
        }
        lock (_gate)
        {
            memory.Unmap(target);
            if (_inMemory.Remove(target, out var range) && _claims.TryGetValue(PageOf(range.End - 1), out var claim) && claim.Owner == target)
                _claims.Remove(PageOf(range.End - 1));
        }
    }

    private void EndClaims(ulong start, ulong end)
    {
        foreach (var (page, claim) in _claims)
        {
            if (start >= page + PageSize || page >= end)
                continue;
            _claims.Remove(page);
            claim.GiveUp();
        }
    }

    private static ulong PageOf(ulong address) => address & ~(PageSize - 1);

    private static bool Holds(BridgeWindow window, ulong start, ulong length) =>
        length > 0 && start >= window.Start && length <= window.Length && start - window.Start <= window.Length - length;
}
