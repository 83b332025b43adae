using Hatchway.Pci.Address;
using Hatchway.Pci.Config;

namespace Hatchway.Passthrough.Host;

/// <summary>The checks of one function that decide whether the kernel gives it to a guest.</summary>
/// <remarks><see cref="All"/> has every rule of <c>hatchway host check</c> about a function; <see cref="Preconditions"/> uses those that
/// stop <c>run</c>.</remarks>
public static class DeviceChecks
{
    // Drivers other than VFIO's that do no DMA and leave the group's ownership to user space: those with driver_managed_dma set (Linux
    // drivers/iommu/iommu.c, iommu_device_use_default_domain). Since Linux 5.19 any other driver, even a bridge's, keeps the group.
    private static readonly string[] HarmlessDrivers = ["pci-stub", "pcieport"];

    /// <summary>The checks that precede every other use of a function: that it exists and is not a bridge.</summary>
    internal static IReadOnlyList<Check<DeviceSubject>> Identity { get; } =
    [
        new("function", StopsRun: true, Function),
        new("kind", StopsRun: true, static subject => subject.Device is null ? null : Kind(subject)),
    ];

    /// <summary>All checks of a function. When there is none at the address, only the first gives a result.</summary>
    public static IReadOnlyList<Check<DeviceSubject>> All { get; } =
    [
        .. Identity,
        .. new Check<DeviceSubject>[]
        {
            new("answer", StopsRun: false, Answer),
            new("IOMMU group", StopsRun: true, Group),
            new("driver", StopsRun: true, Driver),
            new("group members", StopsRun: true, GroupMembers),
            new("other buses", StopsRun: true, OtherBuses),
            new("isolation", StopsRun: false, Isolation.Look),
            new("reserved regions", StopsRun: false, ReservedRegions),
            new("in use", StopsRun: false, Rights.InUse),
            new("rights", StopsRun: false, Rights.Look) { OpensFiles = true },
        }.Concat(DeviceStateChecks.All).Concat(DeviceUseChecks.All).Select(OfOneToGive),
    ];

    /// <summary>The problem of a function that does not answer.</summary>
    /// <param name="address">The function.</param>
    /// <param name="when">The occasion, as <c> after a reset</c>, or empty.</param>
    internal static Finding NoAnswer(PciAddress address, string when = "") => Finding.Problem(
        $"{address} does not answer{when}", "its config space reads as all ones; a power cycle of the machine may bring it back");

    // Skips a check for a function that does not exist and for a bridge, which can't be given away.
    private static Check<DeviceSubject> OfOneToGive(Check<DeviceSubject> check) => check with
    {
        Look = subject => subject.Device is null or { IsBridge: true } ? null : check.Look(subject),
    };

    private static Finding Function(DeviceSubject subject) => subject.Device is { } device
        ? Finding.Ok($"{device.Address} is {device.Vendor:x4}:{device.Device:x4}")
        : Finding.Problem(subject.NotThere, remedy: null);

    private static Finding Kind(DeviceSubject subject) => subject.Device! switch
    {
        { IsBridge: true } =>
            Finding.Problem($"{subject.Address} is a PCI bridge, which can't be given to a guest", "name the device behind it"),
        { IsChipSet: true } =>
            Finding.Problem(
                $"{subject.Address} is a host or ISA bridge, a part of the host itself", "'hatchway host list' has the devices"),
        _ => Finding.Ok("no bridge"),
    };

    private static Finding Answer(DeviceSubject subject) =>
        subject.Inspected.Config.ReadWord(Pci.Spec.Header.VendorId) == ushort.MaxValue
            ? NoAnswer(subject.Address)
            : Finding.Ok("config space answers");

    private static Finding Group(DeviceSubject subject)
    {
        // In its no-IOMMU mode VFIO makes groups of its own, which isolate nothing and are of no use to a guest
        // (drivers/vfio/group.c, vfio_noiommu_group_alloc).
        if (subject.Device!.IommuGroup is { } group
            && subject.View.Sysfs.TryReadText($"kernel/iommu_groups/{group}/name") != "vfio-noiommu")
            return Finding.Ok($"group {group}");
        return HostChecks.HasIommu(subject.View)
            ? Finding.Problem($"{subject.Address} has no IOMMU group: the IOMMU that this host has does not cover it", remedy: null)
            : Finding.Problem($"{subject.Address} has no IOMMU group, since {HostChecks.NoIommu}", HostChecks.SwitchIommuOn);
    }

    private static Finding Driver(DeviceSubject subject)
    {
        var device = subject.Device!;
        return device.IsBoundToVfio
            ? Finding.Ok($"bound to {device.Driver}")
            : Finding.Problem(
                $"{device.Address} is bound to {(device.Driver is { } driver ? $"the driver '{driver}'" : "no driver")}, not to vfio-pci",
                $"'hatchway host reserve {device.Address}'");
    }

    /// <summary>Lists the other members of a function's group that the host uses.</summary>
    internal static IReadOnlyList<HostDevice> HostMembers(DeviceSubject subject, int group) =>
        [.. subject.View.InGroup(group).Where(member => member.Address != subject.Address && !member.IsBoundToVfio
            && member.Driver is { } driver && !HarmlessDrivers.Contains(driver))];

    private static Finding? GroupMembers(DeviceSubject subject)
    {
        if (subject.Device!.IommuGroup is not { } group)
            return null;
        var members = subject.View.InGroup(group);
        var inTheWay = HostMembers(subject, group);
        if (inTheWay.Count == 0)
        {
            return Finding.Ok(members.Count == 1
                ? "alone in its group"
                : $"shared with {Names(members.Where(member => member.Address != subject.Address))}, which the host does not use");
        }
        // vfio-pci does not bind to bridges (drivers/vfio/pci/vfio_pci_core.c, vfio_pci_core_register_device).
        var bridges = inTheWay.Any(static member => member.IsBridge) ? "a bridge is to have no driver, or pcieport" : null;
        var functions = inTheWay.Where(static member => !member.IsBridge).Select(static member => member.Address).ToList();
        var reserve = functions.Count > 0
            ? $"'hatchway host reserve {string.Join(' ', functions)}', since all of a group go to one guest"
            : null;
        return Finding.Problem(
            $"{subject.Address} shares IOMMU group {group} with {Names(inTheWay)}, which the host uses",
            string.Join("; ", ((string?[])[reserve, bridges]).OfType<string>()));
    }

    // For example a platform device that shares the function's IOMMU stream. vfio-pci can't drive it.
    private static Finding? OtherBuses(DeviceSubject subject)
    {
        if (subject.Device!.IommuGroup is not { } group)
            return null;
        var members = ForeignMember.InGroup(subject.View.Sysfs, group);
        var inTheWay = members.Where(static member => member is { Driver: not null, IsBoundToVfio: false }).ToList();
        if (inTheWay.Count == 0)
            return members.Count == 0 ? null : Finding.Ok($"{members.Count} in its group, which the host does not use");
        var names = string.Join(", ", inTheWay.Select(static member => $"{member.Name} ({member.Bus}, {member.Driver})"));
        var unbind = inTheWay.Select(static member => $"echo {member.Name} > /sys/bus/{member.Bus}/drivers/{member.Driver}/unbind");
        return Finding.Problem(
            $"{subject.Address} shares IOMMU group {group} with {names}, no PCI device, which the host uses",
            $"if the host can do without it, '{string.Join("; ", unbind)}'");
    }

    // Firmware that goes on using a device demands an identity mapping of memory for it (VT-d §8.4, RMRR; AMD-Vi, unity mappings), and
    // the kernel gives no such device to a guest (drivers/iommu/iommu.c, require_direct). The regions of USB controllers and graphics are
    // 'direct-relaxable' and do no harm.
    private static Finding? ReservedRegions(DeviceSubject subject)
    {
        if (subject.Device!.IommuGroup is not { } group)
            return null;
        var regions = ReservedRegion.Of(subject.View, group);
        return FirmwareMemory(regions) ?? Finding.Ok(regions.Count == 0 ? "none" : string.Join(", ", regions));
    }

    /// <summary>The problem of a group for which the firmware demands an identity mapping; null when it demands none.</summary>
    internal static Finding? FirmwareMemory(IReadOnlyList<ReservedRegion> regions)
    {
        var direct = regions.Where(static region => region.Kind == "direct").ToList();
        return direct.Count == 0 ? null : Finding.Problem(
            $"the firmware uses memory by it: {string.Join(", ", direct)} (RMRR)",
            "switch the firmware's use of it off (remote management, USB emulation of a legacy keyboard), or 'Kernel DMA Protection' or "
            + "'Pre-boot DMA protection' in the firmware's setup, or ask the machine's maker");
    }

    private static string Names(IEnumerable<HostDevice> members) => string.Join(", ", members.Select(static member =>
        member.Driver is { } driver ? $"{member.Address} ({driver})" : $"{member.Address}"));
}
