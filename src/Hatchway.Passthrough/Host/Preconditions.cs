using System.Globalization;
using Hatchway.Linux;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>What must hold before a guest can be given functions of the host. Looked at before anything is opened.</summary>
/// <remarks>Each check throws a <see cref="PassthroughException"/> whose message names the command or the setting that mends it.</remarks>
public sealed class Preconditions(Sysfs sysfs)
{
    private const string IommuParameters = "intel_iommu=on (AMD's is on by itself)";

    /// <summary>KVM can be opened, and translates guest addresses in hardware.</summary>
    /// <param name="kvm">KVM's device file.</param>
    public void CheckKvm(string kvm = "/dev/kvm")
    {
        if (!File.Exists(kvm))
        {
            throw new PassthroughException(
                $"{kvm} is not there: load KVM with 'modprobe kvm_intel' or 'modprobe kvm_amd', and switch virtualisation on in the firmware");
        }
        if (!DeviceFile.CanOpen(kvm, out var errno))
            throw new PassthroughException($"{kvm} can't be opened ({errno}): join its group with 'usermod -aG kvm $USER', or run as root");
        foreach (var (module, parameter, name) in NestedPagingParameters)
        {
            if (sysfs.TryReadText($"module/{module}/parameters/{parameter}") is "N" or "0")
            {
                throw new PassthroughException(
                    $"{name} is off, and without it every page of a guest is shadowed: 'modprobe -r {module} && modprobe {module} {parameter}=1'");
            }
        }
    }

    private static readonly (string Module, string Parameter, string Name)[] NestedPagingParameters =
    [
        ("kvm_intel", "ept", "extended page tables (EPT)"),
        ("kvm_amd", "npt", "nested page tables (NPT)"),
    ];

    /// <summary>All that a function needs to be given away.</summary>
    public HostDevice CheckDevice(PciAddress address)
    {
        var device = HostDevice.Find(sysfs, address)
            ?? throw new PassthroughException($"{address}: this host has no such PCI function; 'lspci -D' lists them");
        if (device.IsBridge)
            throw new PassthroughException($"{address} is a PCI bridge, which can't be given to a guest: name the device behind it");
        if (device.IommuGroup is not { } group)
            throw new PassthroughException(NoGroup(address));
        if (!device.IsBoundToVfio)
        {
            throw new PassthroughException(
                $"{address} is {(device.Driver is { } driver ? $"bound to the driver '{driver}'" : "bound to no driver")}, not to vfio-pci: "
                + BindCommand(device));
        }
        CheckGroup(address, group);
        return device;
    }

    /// <summary>What may be locked in memory is enough for the guest's RAM, which the device's DMA needs at fixed places.</summary>
    /// <param name="bytes">The guest's RAM.</param>
    public static void CheckMemoryLock(ulong bytes)
    {
        if (ResourceLimits.HasCapability(ResourceLimits.CapIpcLock))
            return;
        var limit = ResourceLimits.MemoryLock.Soft;
        if (limit < bytes)
        {
            throw new PassthroughException(string.Create(
                CultureInfo.InvariantCulture,
                $"a device's DMA needs all of the guest's RAM locked, {bytes >> 10} KiB, but this process may lock {limit >> 10} KiB: 'ulimit -l {bytes >> 10}', or 'memlock' in /etc/security/limits.conf"));
        }
    }

    private string NoGroup(PciAddress address) => sysfs.List("class/iommu").Count == 0
        ? $"{address} has no IOMMU group, since no IOMMU is in use: switch it on in the firmware (VT-d, AMD-Vi) and boot with {IommuParameters}"
        : $"{address} has no IOMMU group: the IOMMU that this host has does not cover it";

    private void CheckGroup(PciAddress address, int group)
    {
        var inTheWay = new List<string>();
        foreach (var member in HostDevice.InGroup(sysfs, group))
        {
            // Bridges stay with the host: the kernel counts their driver as harmless, and a member without a driver, too
            // (drivers/vfio/group.c, vfio_dev_viable; drivers/iommu/iommu.c, driver_managed_dma).
            if (!member.IsBridge && member.Driver is not (null or HostDevice.VfioDriver or "pci-stub"))
                inTheWay.Add($"{member.Address} ({member.Driver})");
        }
        if (inTheWay.Count > 0)
        {
            throw new PassthroughException(
                $"{address} shares IOMMU group {group} with {string.Join(", ", inTheWay)}, which the host uses: bind all of the group to vfio-pci, or none of it can be given away");
        }
    }

    private static string BindCommand(HostDevice device)
    {
        var unbind = device.Driver is null ? "" : $"echo {device.Address} > /sys/bus/pci/devices/{device.Address}/driver/unbind; ";
        return $"'modprobe vfio-pci; echo vfio-pci > /sys/bus/pci/devices/{device.Address}/driver_override; {unbind}echo {device.Address} > /sys/bus/pci/drivers_probe'";
    }
}
