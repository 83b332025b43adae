using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Linux.Vfio;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Vfio;

/// <summary>A BAR or the ROM of a VFIO device: registers by pread and pwrite, pages by mmap into a KVM memslot.</summary>
/// <remarks>
/// A part is mmapped when it is first given to the guest, and stays mapped until the device is closed: moving a BAR changes a memslot,
/// not the mmap. The guest's accesses fault the pages in; the kernel removes them while decoding is off or the device resets.
/// </remarks>
internal sealed partial class VfioRegion : IHostRegion, IDisposable
{
    private readonly string _name;
    private readonly VfioDevice _device;
    private readonly VfioRegionInfo _info;
    private readonly KvmVm _vm;
    // Null when devices are not to reach the region by DMA.
    private readonly IommuSpace? _space;
    private readonly ILogger _log;

    // Guards _mappings, since segments are mapped concurrently, each under a lock of its own. A leaf.
    private readonly Lock _gate = new();
    private readonly Dictionary<(ulong Offset, ulong Length), MemoryMapping> _mappings = [];

    public VfioRegion(string name, VfioDevice device, VfioRegionInfo info, KvmVm vm, IommuSpace? space, ILogger log)
    {
        (_name, _device, _info, _vm, _space, _log) = (name, device, info, vm, space, log);
        MappableAreas = Areas(info);
    }

    public ulong Size => _info.Size;

    public IReadOnlyList<MappableArea> MappableAreas { get; }

    public bool TryRead(ulong offset, AccessWidth width, out ulong value)
    {
        if (_device.TryRead(_info, offset, (int)width, out value))
            return true;
        value = width.AllOnes();
        return false;
    }

    public bool TryWrite(ulong offset, AccessWidth width, ulong value) => _device.TryWrite(_info, offset, (int)width, value);

    public IDisposable? TryMapIntoGuest(ulong offset, ulong length, ulong guestPhysical)
    {
        try
        {
            MemoryMapping? mapping;
            lock (_gate)
            {
                if (!_mappings.TryGetValue((offset, length), out mapping))
                    _mappings.Add((offset, length), mapping = _device.Map(_info, offset, length, _info.IsWritable));
            }
            var guest = _vm.MapMemory(guestPhysical, mapping.Address, length);
            return new PeerMapping(guest, TryMapForDma(mapping, offset, length, guestPhysical));
        }
        catch (LinuxException failure)
        {
            LogTrapped(_name, offset, guestPhysical, failure.Message);
            return null;
        }
    }

    public void Dispose()
    {
        foreach (var mapping in _mappings.Values)
            mapping.Dispose();
        _mappings.Clear();
    }

    // Devices may access one another's memory, and a device its own: the 53C895A fetches its instructions from its own BAR 2 by DMA.
    // The kernel maps a BAR only while its decoding is on, which it is whenever the BAR is mapped into the guest.
    private IDisposable? TryMapForDma(MemoryMapping mapping, ulong offset, ulong length, ulong guestPhysical)
    {
        try
        {
            return _space?.MapBar(mapping.Address, guestPhysical, length);
        }
        catch (LinuxException failure)
        {
            LogNoDma(_name, offset, guestPhysical, failure.Message);
            return null;
        }
    }

    // Without the sparse capability, all of a mappable region can be mapped (linux/vfio.h, VFIO_REGION_INFO_CAP_SPARSE_MMAP).
    private static MappableArea[] Areas(VfioRegionInfo info)
    {
        if (!info.IsMappable)
            return [];
        if (info.SparseAreas.Count == 0)
            return [new MappableArea(0, info.Size)];
        var areas = info.SparseAreas.Select(static area => new MappableArea(area.Offset, area.Length)).ToArray();
        Array.Sort(areas, static (a, b) => a.Offset.CompareTo(b.Offset));
        return areas;
    }

    [LoggerMessage(LogLevel.Warning, "{Region} at {Offset:x}h can't be reached by DMA at {GuestPhysical:x}h: {Reason}")]
    private partial void LogNoDma(string region, ulong offset, ulong guestPhysical, string reason);

    [LoggerMessage(LogLevel.Warning, "{Region} at {Offset:x}h can't be mapped at {GuestPhysical:x}h and is trapped instead: {Reason}")]
    private partial void LogTrapped(string region, ulong offset, ulong guestPhysical, string reason);
}
