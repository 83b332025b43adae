using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Machine.Virtio;

/// <summary>
/// The BAR with a virtio function's MSI-X table and pending bits, each on a page of its own (PCIe 6.0 §7.7.2). The function's handlers
/// answer for these, and this region only for the rest.
/// </summary>
/// <remarks>
/// None of virtio's structures is in it: FreeBSD's driver allocates the structures' BAR first, and could not allocate the same one again
/// for the table (sys/dev/virtio/pci/virtio_pci_modern.c, vtpci_modern_alloc_msix_resource).
/// </remarks>
internal sealed class VirtioMsixRegion : IHostRegion
{
    public const uint TableAt = 0x0000;
    public const uint PendingAt = 0x1000;
    public const uint Bytes = 0x2000;

    public ulong Size => Bytes;

    public IReadOnlyList<MappableArea> MappableAreas => [];

    // Pending messages are kept by the host's side of MSI-X, never here.
    public bool TryRead(ulong offset, AccessWidth width, out ulong value)
    {
        value = 0;
        return true;
    }

    public bool TryWrite(ulong offset, AccessWidth width, ulong value) => false;

    public IDisposable? TryMapIntoGuest(ulong offset, ulong length, ulong guestPhysical) => null;
}
