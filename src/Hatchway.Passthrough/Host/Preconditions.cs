using System.Globalization;
using Hatchway.Linux;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>What must hold before a guest can be given functions of the host. Looked at before anything is opened.</summary>
/// <remarks>Each check throws a <see cref="PassthroughException"/> whose message names the command or the setting that mends it.</remarks>
public sealed class Preconditions(Sysfs sysfs)
{
    private const string IommuParameters = "intel_iommu=on (AMD's is on by itself)";

    private static readonly (string Module, string Parameter, string Name)[] NestedPagingParameters =
    [
        ("kvm_intel", "ept", "nested paging (EPT)"),
        ("kvm_amd", "npt", "nested paging (NPT)"),
    ];

    // Drivers, other than VFIO's, that start no DMA and leave a group's ownership to user space: those with driver_managed_dma set
    // (Linux drivers/iommu/iommu.c, iommu_device_use_default_domain). Any other driver keeps the group, a bridge's, too, since Linux 5.19.
    private static readonly string[] HarmlessDrivers = ["pci-stub", "pcieport"];

    /// <summary>KVM can be opened, and translates guest addresses in hardware.</summary>
    /// <param name="kvm">KVM's device file.</param>
    public void CheckKvm(string kvm = "/dev/kvm")
    {
        if (!File.Exists(kvm))
        {
            throw new PassthroughException(
                $"{kvm} is not there: load KVM with 'modprobe kvm_intel' or 'modprobe kvm_amd', "
                + "and switch virtualisation on in the firmware");
        }
        if (!DeviceFile.CanOpen(kvm, out var errno))
            throw new PassthroughException($"{kvm} can't be opened ({errno}): join its group with 'usermod -aG kvm $USER', or run as root");
        foreach (var (module, parameter, name) in NestedPagingParameters)
        {
            if (sysfs.TryReadText($"module/{module}/parameters/{parameter}") is "N" or "0")
            {
                throw new PassthroughException(
                    $"{name} is off, and without it every page of a guest is shadowed: "
                    + $"'modprobe -r {module} && modprobe {module} {parameter}=1'");
            }
        }
    }

    /// <summary>All that a function needs to be given away.</summary>
    public HostDevice CheckDevice(PciAddress address)
    {
        var device = HostDevice.Find(sysfs, address)
            ?? throw new PassthroughException($"{address}: this host has no such PCI function; 'lspci -D' lists them");
        if (device.IsBridge)
            throw new PassthroughException($"{address} is a PCI bridge, which can't be given to a guest: name the device behind it");
        if (device.IommuGroup is not { } group)
            throw new PassthroughException(NoGroup(address));
        // Without an IOMMU, VFIO can be told to make groups of its own, which fence nothing: they are no use to a guest
        // (drivers/vfio/group.c, vfio_noiommu_group_alloc).
        if (sysfs.TryReadText($"kernel/iommu_groups/{group}/name") == "vfio-noiommu")
            throw new PassthroughException(NoGroup(address));
        if (!device.IsBoundToVfio)
        {
            throw new PassthroughException(
                $"{address} is bound to {(device.Driver is { } driver ? $"the driver '{driver}'" : "no driver")}, not to vfio-pci: "
                + BindCommand(device));
        }
        CheckGroup(address, group);
        return device;
    }

    /// <summary>What may be locked in memory is enough for the guest's RAM, which the device's DMA needs at fixed places.</summary>
    /// <param name="bytes">The guest's RAM.</param>
    /// <remarks>
    /// VFIO counts each mapping against the limit, unless the process has CAP_IPC_LOCK in the initial user namespace
    /// (drivers/vfio/vfio_iommu_type1.c, vfio_dma_do_map): that of a container's own namespace does not count.
    /// </remarks>
    public static void CheckMemoryLock(ulong bytes) =>
        CheckMemoryLock(bytes, ResourceLimits.MemoryLock.Soft, ResourceLimits.HasHostCapability(ResourceLimits.CapIpcLock));

    /// <summary>The same with what the process may do given.</summary>
    /// <param name="bytes">The guest's RAM.</param>
    /// <param name="limit">Bytes that the process may lock; <see cref="ulong.MaxValue"/> means no limit.</param>
    /// <param name="unlimited">The process has the capability to lock more than that.</param>
    internal static void CheckMemoryLock(ulong bytes, ulong limit, bool unlimited)
    {
        if (!unlimited && limit < bytes)
        {
            throw new PassthroughException(string.Create(
                CultureInfo.InvariantCulture,
                $"a device's DMA needs all of the guest's RAM locked, {bytes >> 10} KiB, but this process may lock {limit >> 10} KiB: "
                + $"'ulimit -l {bytes >> 10}', or 'memlock' in /etc/security/limits.conf"));
        }
    }

    private string NoGroup(PciAddress address) => sysfs.List("class/iommu").Count == 0
        ? $"{address} has no IOMMU group, since no IOMMU is in use: switch it on in the firmware (VT-d, AMD-Vi) "
            + $"and boot with {IommuParameters}"
        : $"{address} has no IOMMU group: the IOMMU that this host has does not cover it";

    private void CheckGroup(PciAddress address, int group)
    {
        var inTheWay = new List<HostDevice>();
        foreach (var member in HostDevice.InGroup(sysfs, group))
        {
            if (!member.IsBoundToVfio && member.Driver is { } driver && !HarmlessDrivers.Contains(driver))
                inTheWay.Add(member);
        }
        CheckOtherBuses(address, group);
        if (inTheWay.Count == 0)
            return;
        // VFIO takes no bridge (drivers/vfio/pci/vfio_pci_core.c, vfio_pci_core_register_device).
        var bridges = inTheWay.Exists(static member => member.IsBridge) ? "; a bridge is to have no driver, or pcieport" : "";
        var names = string.Join(", ", inTheWay.Select(static member => $"{member.Address} ({member.Driver})"));
        throw new PassthroughException(
            $"{address} shares IOMMU group {group} with {names}, which the host uses: "
            + $"bind all of the group to vfio-pci, or none of it can be given away{bridges}");
    }

    // A platform device, for one, that does DMA through the same IOMMU stream as the function. vfio-pci is no driver for it.
    private void CheckOtherBuses(PciAddress address, int group)
    {
        var inTheWay = ForeignMember.InGroup(sysfs, group)
            .Where(static member => member is { Driver: not null, IsBoundToVfio: false }).ToList();
        if (inTheWay.Count == 0)
            return;
        var names = string.Join(", ", inTheWay.Select(static member => $"{member.Name} ({member.Bus}, {member.Driver})"));
        var unbind = inTheWay.Select(static member => $"echo {member.Name} > /sys/bus/{member.Bus}/drivers/{member.Driver}/unbind");
        throw new PassthroughException(
            $"{address} shares IOMMU group {group} with {names}, no PCI device, which the host uses: "
            + $"if the host can do without it, '{string.Join("; ", unbind)}'");
    }

    private static string BindCommand(HostDevice device)
    {
        var unbind = device.Driver is null ? "" : $"echo {device.Address} > /sys/bus/pci/devices/{device.Address}/driver/unbind; ";
        return $"'modprobe vfio-pci; echo vfio-pci > /sys/bus/pci/devices/{device.Address}/driver_override; "
            + $"{unbind}echo {device.Address} > /sys/bus/pci/drivers_probe'";
    }
}
