using Hatchway.Linux;
using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Vfio;
using Hatchway.Pci.Address;
using Hatchway.Pci.Config;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Passthrough.Host;

/// <summary>Accesses registers through VFIO: a device opened from its group's file, with its config space and BARs.</summary>
internal sealed class VfioRegisters : IDeviceRegisters
{
    private readonly VfioContainer _container;
    private readonly VfioGroup _group;
    private readonly VfioDevice _device;
    private readonly VfioRegionInfo _config;
    private readonly Dictionary<BarIndex, VfioRegionInfo> _regions = [];
    private readonly Dictionary<BarIndex, MemoryMapping> _mappings = [];
    private readonly Lazy<MsixLayout?> _interrupts;

    private VfioRegisters(VfioContainer container, VfioGroup group, VfioDevice device)
    {
        (_container, _group, _device) = (container, group, device);
        _config = device.GetRegionInfo(VfioPciIndex.ConfigRegion);
        var config = new VfioConfigSpace(device, _config);
        _interrupts = new(() => MsixLayout.Find(config, CapabilityWalker.Walk(config)));
    }

    public int ConfigSize => (int)Math.Min(_config.Size, Pci.Spec.Header.ExpressSize);

    public static VfioRegisters Open(HostDevice host)
    {
        if (host.IommuGroup is not { } number)
            throw new PassthroughException($"{host.Address} has no IOMMU group: 'hatchway host check {host.Address}' says why");
        VfioContainer? container = null;
        VfioGroup? group = null;
        VfioDevice? device = null;
        var hasGroup = false;
        try
        {
            container = VfioContainer.Open();
            group = VfioGroup.Open(number);
            if (!group.IsViable)
            {
                throw new PassthroughException(
                    $"IOMMU group {number} is not viable: 'hatchway host check {host.Address}' says which member is in the way");
            }
            group.Attach(container);
            container.SetIommuType1();
            hasGroup = true;
            device = group.OpenDevice(host.Address.ToString());
            return new VfioRegisters(container, group, device);
        }
        catch (Exception failure)
        {
            device?.Dispose();
            group?.Dispose();
            container?.Dispose();
            if (failure is LinuxException linux)
            {
                throw new PassthroughException(
                    hasGroup
                        ? VfioRefusal.OfDevice(host, number, linux)
                        : VfioRefusal.OfGroup(new HostView(), host, number, linux, isFirst: true),
                    linux);
            }
            throw;
        }
    }

    public bool TryAccess(in RegisterAccess access, ref ulong value)
    {
        var region = access.Bar is { } bar ? Region(bar) : _config;
        // Before Linux 6.10 the kernel splits accesses wider than four bytes. In the MSI-X table it answers reads with all ones and drops
        // writes (drivers/vfio/pci/vfio_pci_rdwr.c).
        if (access.Width == AccessWidth.Qword || IsInInterruptTable(access))
            return TryAccessMapped(region, access, ref value);
        return access.Direction == AccessDirection.Read
            ? _device.TryRead(region, access.Offset, (int)access.Width, out value)
            : _device.TryWrite(region, access.Offset, (int)access.Width, value);
    }

    public void Dispose()
    {
        foreach (var mapping in _mappings.Values)
            mapping.Dispose();
        _device.Dispose();
        _group.Dispose();
        _container.Dispose();
    }

    // The caller has checked that memory decoding is on: touching a mapped BAR that does not decode faults.
    private bool TryAccessMapped(VfioRegionInfo region, in RegisterAccess access, ref ulong value)
    {
        if (!region.IsMappable || region.SparseAreas.Count > 0)
        {
            throw new PassthroughException(access.Width == AccessWidth.Qword
                ? $"{access.Place} can't be mapped on this host, and so not be accessed by 8 bytes at once: use 4"
                : $"{access.Place} at {access.Offset:x}h is in the table of MSI-X, which VFIO keeps to itself on this host: "
                    + "take it from vfio-pci first");
        }
        var bar = access.Bar!.Value;
        if (!_mappings.TryGetValue(bar, out var mapping))
            _mappings.Add(bar, mapping = _device.Map(region, 0, region.Size, region.IsWritable));
        if (access.Direction == AccessDirection.Read)
            value = mapping.ReadRegister(access.Offset, (int)access.Width);
        else
            mapping.WriteRegister(access.Offset, (int)access.Width, value);
        return true;
    }

    private bool IsInInterruptTable(in RegisterAccess access) =>
        access.Bar is { } bar && _interrupts.Value is { } layout && layout.IsInTable(bar, access.Offset);

    private VfioRegionInfo Region(BarIndex bar)
    {
        if (!_regions.TryGetValue(bar, out var region))
            _regions.Add(bar, region = _device.GetRegionInfo(bar.Value));
        return region;
    }
}
