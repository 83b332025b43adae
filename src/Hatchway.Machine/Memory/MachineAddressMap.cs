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
    /// <inheritdoc/>
    public bool TryMap(AddressSpaceKind kind, ulong start, ulong length, IAddressTarget target)
    {
        var forwarded = kind == AddressSpaceKind.Port
            ? Holds(layout.Ports, start, length)
            : Holds(layout.Mmio32, start, length) || Holds(layout.Mmio64, start, length);
        if (!forwarded)
            return false;
        Space(kind).Map(start, length, target);
        return true;
    }

    /// <inheritdoc/>
    public void Unmap(AddressSpaceKind kind, IAddressTarget target) => Space(kind).Unmap(target);

    private AddressSpace Space(AddressSpaceKind kind) => kind == AddressSpaceKind.Port ? ports : memory;

    private static bool Holds(BridgeWindow window, ulong start, ulong length) =>
        length > 0 && start >= window.Start && length <= window.Length && start - window.Start <= window.Length - length;
}
