using System.Globalization;
using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Linux.Vfio;
using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Vfio;

/// <summary>A range of the guest's RAM.</summary>
/// <param name="GuestPhysical">Where the guest, and so the device, sees it.</param>
/// <param name="HostAddress">Where this process has it.</param>
/// <param name="Length">Bytes, a multiple of the page size.</param>
public readonly record struct GuestRamRange(ulong GuestPhysical, nint HostAddress, ulong Length);

/// <summary>The one IOMMU address space of a VM: what its devices can reach by DMA is the guest's RAM and nothing else.</summary>
/// <remarks>
/// An IOVA is a guest-physical address. The kernel pins what is mapped. The order of things is the kernel's: a group is put into the
/// container first, then the IOMMU's kind is set, then memory is mapped (Linux Documentation/driver-api/vfio.rst).
/// </remarks>
public sealed partial class IommuSpace : IDisposable
{
    private readonly VfioContainer _container;
    private readonly KvmVfioDevice _kvm;
    private readonly Dictionary<int, (VfioGroup Group, int Devices)> _groups = [];
    private readonly IReadOnlyList<GuestRamRange> _ram;
    private readonly ILogger _log;

    /// <summary>Opens VFIO's container; nothing is mapped until the first group joins.</summary>
    /// <param name="vm">The VM, which is told of the groups.</param>
    /// <param name="ram">All of the guest's RAM.</param>
    /// <param name="log">Where limitations are told.</param>
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
            throw new PassthroughException($"VFIO can't be opened: {failure.Message}: 'modprobe vfio-pci', or see to the rights on /dev/vfio", failure);
        }
        _kvm = vm.CreateVfioDevice();
    }

    /// <summary>Opens a function of a group; the group joins the space when it is not in it yet.</summary>
    /// <exception cref="PassthroughException">The group is not viable, in use elsewhere, or its IOMMU can't hold the guest's
    /// RAM.</exception>
    public VfioDevice Open(Host.HostDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        var number = device.IommuGroup ?? throw new ArgumentException("the device has no group", nameof(device));
        try
        {
            var (group, devices) = _groups.TryGetValue(number, out var known) ? known : (Join(number), 0);
            _groups[number] = (group, devices + 1);
            return group.OpenDevice(device.Address.ToString());
        }
        catch (LinuxException failure)
        {
            Leave(number);
            throw new PassthroughException(Explain(device, number, failure), failure);
        }
    }

    /// <summary>Closes a function, and its group behind the last one: a host that wants a group's last device back waits for that,
    /// too.</summary>
    /// <remarks>Not while another thread opens or closes one.</remarks>
    public void Close(Host.HostDevice device, VfioDevice opened)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(opened);
        opened.Dispose();
        Leave(device.IommuGroup!.Value);
    }

    /// <summary>Unmaps the RAM. The devices must be closed before.</summary>
    public void Dispose()
    {
        _kvm.Dispose();
        _container.Dispose();
    }

    /// <summary>Lets devices reach part of a device's BAR, at the address where the guest has it.</summary>
    /// <param name="address">Where this process has it, page-aligned.</param>
    /// <param name="guestPhysical">Where the guest has it.</param>
    /// <param name="length">Bytes, whole pages.</param>
    /// <returns>The mapping, which ends when disposed; disposing fails as UnmapDma does.</returns>
    /// <exception cref="LinuxException">The IOMMU can't map it, or the kernel can't find the device's pages.</exception>
    internal IDisposable MapDevice(nint address, ulong guestPhysical, ulong length)
    {
        _container.MapDma(address, guestPhysical, length);
        return new DeviceRange(_container, guestPhysical, length);
    }

    // A container that its last group leaves forgets what was mapped (drivers/vfio/vfio_iommu_type1.c): nothing is pinned any more.
    private void Leave(int number)
    {
        if (!_groups.TryGetValue(number, out var member))
            return;
        if (member.Devices > 1)
        {
            _groups[number] = (member.Group, member.Devices - 1);
            return;
        }
        _groups.Remove(number);
        _kvm.Remove(member.Group);
        member.Group.Dispose();
    }

    private VfioGroup Join(int number)
    {
        var group = VfioGroup.Open(number);
        try
        {
            if (!group.IsViable)
                throw new PassthroughException($"IOMMU group {number} is not viable: a member is bound to another driver than vfio-pci");
            group.Attach(_container);
            if (_groups.Count == 0)
            {
                _container.SetIommuType1();
                MapRam();
            }
            _kvm.Add(group);
        }
        catch
        {
            group.Dispose();
            throw;
        }
        return group;
    }

    // The IOMMU may keep ranges of addresses to itself, as x86's for messages at FEE00000h: RAM there can't be reached by the device.
    private void MapRam()
    {
        var usable = _container.GetIommuInfo().IovaRanges;
        foreach (var range in _ram)
        {
            var mapped = 0ul;
            foreach (var (start, end) in usable.Select(static r => (r.Start, End: r.Last + 1 == 0 ? r.Last : r.Last + 1)))
            {
                var from = Math.Max(range.GuestPhysical, start);
                var to = Math.Min(range.GuestPhysical + range.Length, end);
                if (from >= to)
                    continue;
                _container.MapDma(range.HostAddress + (nint)(from - range.GuestPhysical), from, to - from);
                mapped += to - from;
            }
            if (usable.Count == 0)
                _container.MapDma(range.HostAddress, range.GuestPhysical, range.Length);
            else if (mapped < range.Length)
                LogReserved(range.Length - mapped, range.GuestPhysical, range.GuestPhysical + range.Length);
        }
    }

    /// <summary>Says what a failure to open a group or a device means, and what to do.</summary>
    internal static string Explain(Host.HostDevice device, int group, LinuxException failure) => failure.Errno switch
    {
        Errno.EBUSY => $"{device.Address}: IOMMU group {group} is in use by another process: end that first ('fuser /dev/vfio/{group}' names it)",
        Errno.EACCES or Errno.EPERM =>
            $"{device.Address}: /dev/vfio/{group} can't be used ({failure.Message}): give yourself the right with 'chown $USER /dev/vfio/{group}', and see that interrupt remapping is on",
        Errno.ENOMEM => string.Create(
            CultureInfo.InvariantCulture,
            $"{device.Address}: the guest's RAM can't be locked for DMA ({failure.Message}): raise 'ulimit -l' or free memory"),
        _ => $"{device.Address}: {failure.Message}",
    };

    [LoggerMessage(LogLevel.Warning, "{Bytes} bytes of the guest's RAM between {Start:x}h and {End:x}h lie where the IOMMU reserves addresses: a device can't reach them")]
    private partial void LogReserved(ulong bytes, ulong start, ulong end);

    private sealed class DeviceRange(VfioContainer container, ulong iova, ulong length) : IDisposable
    {
        public void Dispose() => container.UnmapDma(iova, length);
    }
}
