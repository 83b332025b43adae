using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Machine.Virtio;

/// <summary>
/// The BAR of a virtio function's MSI-X: the table and the pending bits, each on a page of its own (PCIe 6.0 §7.7.2). The function's
/// handlers answer there, and this region only for what is between.
/// </summary>
/// <remarks>
/// None of virtio's structures is in it: FreeBSD's driver has the structures' BAR to itself before it asks for the table's, and does not
/// get the same one twice (sys/dev/virtio/pci/virtio_pci_modern.c, vtpci_modern_alloc_msix_resource).
/// </remarks>
internal sealed class VirtioMsixRegion : IHostRegion
{
    public const uint TableAt = 0x0000;
    public const uint PendingAt = 0x1000;
    public const uint Bytes = 0x2000;

    public ulong Size => Bytes;

    public IReadOnlyList<MappableArea> MappableAreas => [];

    // A message that is held back waits in the host's side of MSI-X, and none here.
    public bool TryRead(ulong offset, AccessWidth width, out ulong value)
    {
        value = 0;
        return true;
    }

    public bool TryWrite(ulong offset, AccessWidth width, ulong value) => false;

    public IDisposable? TryMapIntoGuest(ulong offset, ulong length, ulong guestPhysical) => null;
}
