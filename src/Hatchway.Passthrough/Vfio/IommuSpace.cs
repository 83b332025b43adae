using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Linux.Vfio;
using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Vfio;

/// <summary>The single IOMMU address space of a VM's devices: by DMA they reach the guest's RAM and BARs mapped here, and nothing
/// else.</summary>
/// <remarks>
/// An IOVA is a guest-physical address. The kernel pins the RAM that is mapped, and prescribes the order: a group is attached to the
/// container, then the IOMMU type is set, then memory is mapped (Linux Documentation/driver-api/vfio.rst). All groups join before
/// anything is mapped, since the kernel refuses a group whose IOMMU can't take the existing mappings. Any thread may map parts of BARs;
/// everything else is for one thread at a time.
/// </remarks>
public sealed partial class IommuSpace : IDisposable
{
    private readonly VfioContainer _container;
    private readonly KvmVfioDevice _kvm;
    private readonly Dictionary<int, (VfioGroup Group, int Devices)> _groups = [];
    private readonly IReadOnlyList<GuestRamRange> _ram;
    private readonly ILogger _log;

    /// <summary>Opens an empty VFIO container.</summary>
    /// <param name="vm">The VM, which learns of the groups through KVM's VFIO device.</param>
    /// <param name="ram">All of the guest's RAM.</param>
    /// <param name="log">Receives limitations.</param>
    /// <exception cref="PassthroughException">VFIO can't be opened.</exception>
    public IommuSpace(KvmVm vm, IReadOnlyList<GuestRamRange> ram, ILogger log)
    {
        ArgumentNullException.ThrowIfNull(vm);
        _ram = ram;
        _log = log;
        try
        {
            _container = VfioContainer.Open();
        }
        catch (LinuxException failure)
        {
            throw new PassthroughException(
                $"VFIO can't be opened: {failure.Message}: 'modprobe vfio-pci', or see to the rights on /dev/vfio", failure);
        }
        try
        {
            _kvm = vm.CreateVfioDevice();
        }
        catch
        {
            _container.Dispose();
            throw;
        }
    }

    /// <summary>The highest address that every device in the space can reach by DMA; <see cref="ulong.MaxValue"/> before
    /// <see cref="Join"/>, and when the kernel does not say.</summary>
    public ulong LastAddress { get; private set; } = ulong.MaxValue;

    /// <summary>Attaches the groups of all devices, then maps the guest's RAM for them. Called once, before any device is opened.</summary>
    /// <exception cref="PassthroughException">A group is not viable, is in use by another process, or can't share an address space with the
    /// others; or the RAM can't be locked, or devices can't reach it.</exception>
    public void Join(IReadOnlyList<Host.HostDevice> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        foreach (var device in devices)
        {
            var number = GroupOf(device);
            if (_groups.ContainsKey(number))
                continue;
            try
            {
                _groups.Add(number, (Attach(number), 0));
            }
            catch (LinuxException failure)
            {
                throw new PassthroughException(
                    VfioRefusal.OfGroup(new Host.HostView(), device, number, failure, isFirst: _groups.Count == 0), failure);
            }
        }
        try
        {
            MapRam();
        }
        catch (LinuxException failure)
        {
            var names = string.Join(", ", devices.Select(static device => $"{device.Address} (IOMMU group {device.IommuGroup})"));
            throw new PassthroughException($"the guest's RAM can't be mapped for {names}: {VfioRefusal.WithRemedy(failure)}", failure);
        }
    }

    /// <summary>Opens a function of a group that has joined.</summary>
    /// <exception cref="PassthroughException">The kernel refuses.</exception>
    public VfioDevice Open(Host.HostDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        var number = GroupOf(device);
        var (group, devices) = _groups[number];
        try
        {
            var opened = group.OpenDevice(device.Address.ToString());
            _groups[number] = (group, devices + 1);
            return opened;
        }
        catch (LinuxException failure)
        {
            // For a function of an open group, EACCES has no other cause (drivers/vfio/pci/vfio_pci_core.c,
            // vfio_pci_validate_vf_token).
            throw new PassthroughException(
                failure.Errno == Errno.EACCES
                    ? $"{device.Address}: VFIO wants a token for it, as it has its physical function, too, or a program has one of its "
                        + "virtual ones, and there is no option for one: give the physical function back to its driver "
                        + "('hatchway host release'), or end that program"
                    : VfioRefusal.OfDevice(device, number, failure),
                failure);
        }
    }

    /// <summary>Closes a function and, with the last function of a group, the group. A host that unbinds the function waits for
    /// both.</summary>
    /// <remarks>No other thread may open or close a function meanwhile.</remarks>
    public void Close(Host.HostDevice device, VfioDevice opened)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(opened);
        opened.Dispose();
        Leave(GroupOf(device));
    }

    /// <summary>True while a group is in the space.</summary>
    internal bool HasGroup(int number) => _groups.ContainsKey(number);

    /// <summary>Gives groups of the space by their numbers.</summary>
    internal IReadOnlyList<VfioGroup> Groups(IReadOnlyList<int> numbers) => [.. numbers.Select(number => _groups[number].Group)];

    /// <summary>Closes the groups that had no device opened, and unmaps the RAM. All devices must have been closed.</summary>
    public void Dispose()
    {
        foreach (var (group, _) in _groups.Values)
            Release(group);
        _groups.Clear();
        _kvm.Dispose();
        _container.Dispose();
    }

    /// <summary>Maps part of a device's BAR for DMA, at its guest-physical address.</summary>
    /// <param name="address">Its address in this process, page-aligned.</param>
    /// <param name="guestPhysical">Its guest-physical address.</param>
    /// <param name="length">Bytes, whole pages.</param>
    /// <returns>The mapping. Disposing it unmaps, and throws what UnmapDma throws.</returns>
    /// <exception cref="LinuxException">The IOMMU can't map it, or the kernel can't find the device's pages.</exception>
    internal IDisposable MapBar(nint address, ulong guestPhysical, ulong length)
    {
        _container.MapDma(address, guestPhysical, length);
        return new BarRange(_container, guestPhysical, length);
    }

    private static int GroupOf(Host.HostDevice device) =>
        device.IommuGroup ?? throw new ArgumentException("the device has no group", nameof(device));

    // When the last group leaves a container, the kernel drops all its mappings and unpins the RAM (drivers/vfio/vfio_iommu_type1.c).
    private void Leave(int number)
    {
        var (group, devices) = _groups[number];
        if (devices > 1)
        {
            _groups[number] = (group, devices - 1);
            return;
        }
        _groups.Remove(number);
        Release(group);
    }

    private void Release(VfioGroup group)
    {
        _kvm.Remove(group);
        group.Dispose();
    }

    private VfioGroup Attach(int number)
    {
        var group = VfioGroup.Open(number);
        try
        {
            if (!group.IsViable)
                throw new PassthroughException($"IOMMU group {number} is not viable: a member is bound to another driver than vfio-pci");
            group.Attach(_container);
            // Set with the first group, so that attaching a later group fails for that group's own reasons.
            if (_groups.Count == 0)
                _container.SetIommuType1();
            _kvm.Add(group);
        }
        catch
        {
            group.Dispose();
            throw;
        }
        return group;
    }

    private void MapRam()
    {
        var usable = _container.GetIovaRanges();
        if (usable.Count > 0)
            LastAddress = usable[^1].Last;
        DmaRanges.CheckHighRam(_ram, usable);
        foreach (var range in _ram)
        {
            var mapped = 0ul;
            foreach (var piece in DmaRanges.Mappable(range, usable))
            {
                _container.MapDma(piece.HostAddress, piece.GuestPhysical, piece.Length);
                mapped += piece.Length;
            }
            if (mapped < range.Length)
                LogReserved(range.Length - mapped, range.GuestPhysical, range.GuestPhysical + range.Length);
        }
    }

    [LoggerMessage(
        LogLevel.Warning,
        "{Bytes} bytes of the guest's RAM between {Start:x}h and {End:x}h lie where the IOMMU has no addresses to give: "
        + "a device can't reach them")]
    private partial void LogReserved(ulong bytes, ulong start, ulong end);

    private sealed class BarRange(VfioContainer container, ulong iova, ulong length) : IDisposable
    {
        public void Dispose() => container.UnmapDma(iova, length);
    }
}
