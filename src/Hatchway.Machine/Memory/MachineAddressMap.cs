using Hatchway.Pci.Address;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine.Memory;

/// <summary>The machine's address spaces as PCI functions may use them: only the host bridge's windows.</summary>
/// <remarks>
/// A guest may write any address into a BAR. One outside the windows is not mapped, so a BAR can't cover RAM, the ECAM or an interrupt
/// controller. Two BARs at one address are the guest's mistake: the first one answers and has its pages mapped, and the other takes over
/// when the first goes. Any thread.
/// </remarks>
/// <param name="memory">The guest's physical memory.</param>
/// <param name="ports">The guest's I/O ports.</param>
/// <param name="layout">Where the windows are.</param>
public sealed class MachineAddressMap(AddressSpace memory, AddressSpace ports, MemoryLayout layout) : IGuestAddressMap
{
    // Guards the claims. Held while the claims and the address space change together, and while a claimant is called. Taken after a
    // function's effects lock, and before the claimant's locks.
    private readonly Lock _gate = new();
    private readonly PageClaims _claims = new();

    /// <inheritdoc/>
    public bool TryMap(AddressSpaceKind kind, ulong start, ulong length, IAddressTarget target)
    {
        var forwarded = kind == AddressSpaceKind.Io
            ? Holds(layout.Ports, start, length)
            : Holds(layout.Mmio32, start, length) || Holds(layout.Mmio64, start, length);
        if (!forwarded)
            return false;
        if (kind == AddressSpaceKind.Io)
        {
            ports.Map(start, length, target);
            return true;
        }
        lock (_gate)
        {
            memory.Map(start, length, target);
            _claims.Add(start, length, target);
        }
        return true;
    }

    /// <inheritdoc/>
    public void Claim(ulong start, ulong length, IAddressTarget owner, IPageClaimant claimant)
    {
        lock (_gate)
            _claims.Claim(start, length, owner, claimant);
    }

    /// <inheritdoc/>
    public void Unmap(AddressSpaceKind kind, IAddressTarget target)
    {
        if (kind == AddressSpaceKind.Io)
        {
            ports.Unmap(target);
            return;
        }
        lock (_gate)
        {
            memory.Unmap(target);
            _claims.Remove(target);
        }
    }

    private static bool Holds(BridgeWindow window, ulong start, ulong length) =>
        length > 0 && start >= window.Start && length <= window.Length && start - window.Start <= window.Length - length;
}
