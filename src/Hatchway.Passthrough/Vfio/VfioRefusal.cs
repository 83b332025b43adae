using System.Globalization;
using Hatchway.Linux;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Vfio;

/// <summary>Explains why VFIO refuses a group, a device or its interrupt, and what the user can do.</summary>
internal static class VfioRefusal
{
    /// <summary>Explains why a group can't be opened, or can't be put into a container.</summary>
    /// <param name="view">The host.</param>
    /// <param name="device">The function that the group is opened for.</param>
    /// <param name="group">The group's number.</param>
    /// <param name="failure">The kernel's error.</param>
    /// <param name="isFirst">True when no other group is in the container.</param>
    public static string OfGroup(HostView view, HostDevice device, int group, LinuxException failure, bool isFirst)
    {
        // The firmware demands an identity mapping of memory for the device. Since Linux 6.6 this gives EINVAL (drivers/iommu/iommu.c,
        // "rejecting configuring the device without a 1:1 mapping"); before that, and only with VT-d, EPERM (drivers/iommu/intel/iommu.c).
        if (failure.Errno is Errno.EINVAL or Errno.EPERM
            && DeviceChecks.FirmwareMemory(ReservedRegion.Of(view, group)) is { } finding)
            return $"{device.Address}: {finding.Line}";
        return failure.Errno switch
        {
            Errno.EINVAL when isFirst =>
                $"{device.Address}: IOMMU group {group} can't be used ({failure.Message}): 'hatchway host check {device.Address}' or the "
                + "host's 'dmesg' may say why",
            Errno.EINVAL =>
                $"{device.Address}: IOMMU group {group} can't be used ({failure.Message}): if it works as the guest's only device, "
                + "then its IOMMU can't share an address space with that of the devices before it; give it to a guest of its own",
            _ => OfEither(device, group, failure),
        };
    }

    /// <summary>Explains why a function can't be opened whose group is in a container.</summary>
    public static string OfDevice(HostDevice device, int group, LinuxException failure) => failure.Errno == Errno.EINVAL
        // drivers/pci/setup-res.c, pci_enable_resources.
        ? $"{device.Address} can't be switched on ({failure.Message}): one of its BARs has no address on the host, as "
            + $"'hatchway host check {device.Address}' and the host's 'dmesg' say"
        : OfEither(device, group, failure);

    /// <summary>Explains why a function's INTx can't be switched on.</summary>
    public static string OfIntx(HostView view, PciAddress address, LinuxException failure)
    {
        // A function whose command register can't mask INTx needs a host interrupt line of its own (drivers/vfio/pci/vfio_pci_intrs.c,
        // vfio_intx_set_signal).
        if (failure.Errno != Errno.EBUSY || !int.TryParse(view.Text(address, "irq"), CultureInfo.InvariantCulture, out var line))
            return failure.Message;
        using var table = new StringReader(view.Proc("interrupts") ?? "");
        var owners = HostInterrupts.Owners(table, line);
        return $"{failure.Message}: it can't share the host's interrupt {line} with "
            + (owners.Count == 0 ? "another driver" : string.Join(", ", owners))
            + ": unbind that driver, or move the card to another slot; where its driver uses MSI or MSI-X it works all the same";
    }

    /// <summary>Gives a failure's message, with a remedy where one is known.</summary>
    public static string WithRemedy(LinuxException failure) => failure.Errno == Errno.ENOMEM
        ? $"{failure.Message}: raise 'ulimit -l' or free memory"
        : failure.Message;

    private static string OfEither(HostDevice device, int group, LinuxException failure) =>
        $"{device.Address}: " + failure.Errno switch
        {
            Errno.EBUSY => $"IOMMU group {group} is in use by another process: end that first ('fuser /dev/vfio/{group}' names it)",
            Errno.EACCES or Errno.EPERM =>
                $"/dev/vfio/{group} can't be used ({failure.Message}): give yourself the right with 'chown $USER /dev/vfio/{group}', "
                + "and see that interrupt remapping is on",
            _ => $"IOMMU group {group}: {WithRemedy(failure)}",
        };
}
