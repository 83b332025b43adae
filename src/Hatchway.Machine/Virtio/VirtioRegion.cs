using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Machine.Virtio;

/// <summary>The BAR of a virtio function, with each structure on a page of its own (VIRTIO 1.2 §4.1.4).</summary>
internal sealed class VirtioRegion(
    CommonConfiguration common, IVirtioDevice device, VirtioInterrupts interrupts, IVirtioHost host) : IHostRegion
{
    public const uint CommonAt = 0x0000;
    public const uint IsrAt = 0x1000;
    public const uint DeviceAt = 0x2000;
    public const uint NotifyAt = 0x3000;
    public const uint Bytes = 0x4000;

    /// <summary>Bytes from one queue's doorbell to the next (notify_off_multiplier, §4.1.4.4).</summary>
    public const int DoorbellBytes = 4;

    private const uint Page = 0x1000;

    public ulong Size => Bytes;

    public IReadOnlyList<MappableArea> MappableAreas => [];

    public MappableArea? Doorbells => new MappableArea(NotifyAt, Page);

    public bool TryRead(ulong offset, AccessWidth width, out ulong value)
    {
        var at = (int)(offset % Page);
        value = width.AllOnes();
        switch (offset - (uint)at)
        {
            case CommonAt:
                return common.TryRead(at, width, out value);
            case IsrAt when at == 0:
                value = interrupts.TakeStatus();
                return true;
            case DeviceAt when at + (int)width <= device.ConfigurationBytes:
                value = device.ReadConfiguration(at, width);
                return true;
            case NotifyAt:
                value = 0;
                return true;
            default:
                return false;
        }
    }

    public bool TryWrite(ulong offset, AccessWidth width, ulong value)
    {
        var at = (int)(offset % Page);
        switch (offset - (uint)at)
        {
            case CommonAt:
                return common.TryWrite(at, width, value);
            case NotifyAt when at % DoorbellBytes == 0 && at / DoorbellBytes < device.QueueSizes.Count:
                host.Ring(at / DoorbellBytes);
                return true;
            default:
                return false;
        }
    }

    public IDisposable? TryMapIntoGuest(ulong offset, ulong length, ulong guestPhysical) => null;

    public IDisposable? TryWireDoorbells(ulong guestPhysical)
    {
        var wired = new List<IDisposable>();
        for (var queue = 0; queue < device.QueueSizes.Count; queue++)
        {
            if (host.TryWireDoorbell(queue, guestPhysical + NotifyAt + (ulong)(queue * DoorbellBytes)) is { } doorbell)
                wired.Add(doorbell);
        }
        return new WiredDoorbells(wired);
    }

    private sealed class WiredDoorbells(List<IDisposable> wired) : IDisposable
    {
        public void Dispose()
        {
            foreach (var doorbell in wired)
                doorbell.Dispose();
            wired.Clear();
        }
    }
}
