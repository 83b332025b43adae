using Hatchway.Linux.Vfio;
using Hatchway.Pci.Address;
using Hatchway.Pci.Config;

namespace Hatchway.Passthrough.Vfio;

/// <summary>A VFIO device's config space region. The kernel's own virtualisation of it works below the mediator's.</summary>
internal sealed class VfioConfigSpace(VfioDevice device, VfioRegionInfo region) : IHostConfigSpace
{
    public int Size { get; } = (int)Math.Min(region.Size, Pci.Spec.Header.ExpressSize);

    public uint Read(ConfigOffset offset, AccessWidth width) =>
        device.TryRead(region, offset.Value, (int)width, out var value) ? (uint)value : (uint)width.AllOnes();

    public void Write(ConfigOffset offset, AccessWidth width, uint value) =>
        device.TryWrite(region, offset.Value, (int)width, value);
}
