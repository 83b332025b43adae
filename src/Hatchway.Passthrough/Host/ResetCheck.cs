namespace Hatchway.Passthrough.Host;

/// <summary>The check of how a function can be reset between guests.</summary>
internal static class ResetCheck
{
    private const string BusMethod = "bus";
    private const string GuestAsLeft = "a guest gets it in the state it was left in";
    private const string AsLeft = $"{GuestAsLeft}, and so does the host afterwards";

    public static Finding Look(DeviceSubject subject)
    {
        var device = subject.Device!;
        // Before Linux 5.15 there is only the file that triggers a reset. A function without a reset has neither file.
        if (device.ResetMethods is null && subject.View.Sysfs.Exists($"{HostView.PathOf(device.Address)}/reset"))
            return Finding.Ok("in a way that this kernel does not name");
        var others = subject.View.Devices.Where(other => other.Address != device.Address
            && other.Address.Domain == device.Address.Domain && other.Address.Bus == device.Address.Bus).ToList();
        // The kernel lists a function's reset methods when it finds the function, before it has found later ones on the bus. So the first
        // of a bus has "bus" among its methods, but that fails once there are others (drivers/pci/pci.c, pci_init_reset_methods,
        // pci_parent_bus_reset).
        var own = Methods(device).Where(method => others.Count == 0 || method != BusMethod).ToList();
        if (own.Count > 0)
            return Finding.Ok(string.Join(' ', own));
        return others.Append(device).Any(static function => Methods(function).Contains(BusMethod))
            ? WithBus(device, others)
            : Finding.Note($"none: {AsLeft}");
    }

    // A process that has the groups of all functions of a bus can have the bus reset, if all are bound to VFIO
    // (drivers/vfio/pci/vfio_pci_core.c, vfio_pci_dev_set_hot_reset).
    private static Finding WithBus(HostDevice device, List<HostDevice> others)
    {
        var names = Names(others);
        if (others.Find(static other => other.IsBridge) is { } bridge)
            return Finding.Note($"only with its bus, on which is {bridge.Address}, a bridge, which VFIO does not take: {AsLeft}");
        var isOneGroup = device.IommuGroup is not null && others.TrueForAll(other => other.IommuGroup == device.IommuGroup);
        var unreserved = others.FindAll(static other => !other.IsBoundToVfio);
        if (isOneGroup && unreserved.Count == 0)
            return Finding.Ok($"with its bus, together with {names} of its group: all are to stay reserved, and go to one guest");
        var remedies = new List<string>();
        if (unreserved.Count > 0)
            remedies.Add($"'hatchway host reserve {string.Join(' ', unreserved.Select(static other => other.Address))}'");
        remedies.Add("give all of them to one guest");
        return Finding.Note(
            isOneGroup
                ? $"only with its bus, which needs {Names(unreserved)} of its group to be reserved, too: else {GuestAsLeft}"
                : $"only with its bus, by a guest that has {names}, too: else {GuestAsLeft}",
            string.Join(", and ", remedies));
    }

    private static string[] Methods(HostDevice device) => (device.ResetMethods ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static string Names(IEnumerable<HostDevice> functions) =>
        string.Join(", ", functions.Select(static function => function.Address));
}
