using Hatchway.Linux;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>A function that is bound to vfio-pci, and its state before.</summary>
/// <param name="Address">Its address.</param>
/// <param name="WasReserved">True when it was bound to a VFIO driver before.</param>
/// <param name="FormerDriver">The driver that it was taken from, or null.</param>
public sealed record ReservedFunction(PciAddress Address, bool WasReserved, string? FormerDriver);

/// <summary>Takes functions from the host's drivers for guests, and gives them back (Linux Documentation/ABI/testing/sysfs-bus-pci,
/// <c>driver_override</c>).</summary>
/// <param name="look">Takes a new view of the host.</param>
/// <param name="controls">Changes the host.</param>
/// <remarks>For one thread. After a failure the function is as it was before, or the message says in what state it is.</remarks>
public sealed class Reservation(Func<HostView> look, IHostControls controls)
{
    // The text of driver_override when there is none: printf of a null pointer (drivers/pci/pci-sysfs.c, driver_override_show).
    private const string NoOverride = "(null)";
    private const string RootOnly = " (only root may do this)";
    private static readonly string[] Modules = ["vfio_pci", "vfio_iommu_type1"];

    /// <summary>Binds functions to vfio-pci, all of them or none.</summary>
    /// <param name="addresses">The functions.</param>
    /// <param name="force">Takes them even when the host needs them.</param>
    /// <exception cref="PassthroughException">One can't be taken. Those taken before it were given back.</exception>
    public IReadOnlyList<ReservedFunction> Take(IReadOnlyList<PciAddress> addresses, bool force)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        var view = look();
        foreach (var address in addresses)
        {
            var subject = DeviceSubject.Existing(view, address);
            if (!subject.Device!.IsBoundToVfio)
                CheckLosses(subject, force);
        }
        LoadModules(view);
        var taken = new List<ReservedFunction>();
        foreach (var address in addresses.Distinct())
        {
            try
            {
                var device = Present(view, address);
                if (!device.IsBoundToVfio)
                    Rebind(view, device, HostDevice.VfioDriver);
                taken.Add(new ReservedFunction(address, device.IsBoundToVfio, device.IsBoundToVfio ? null : device.Driver));
            }
            catch (PassthroughException failure)
            {
                throw new PassthroughException(failure.Message + UndoAll(taken), failure);
            }
        }
        return taken;
    }

    /// <summary>Gives a function back to the host's own driver.</summary>
    /// <param name="address">The function.</param>
    /// <param name="force">Takes it even from a guest that uses it.</param>
    /// <returns>The driver that it is bound to now, or null.</returns>
    /// <exception cref="PassthroughException">It can't be given back.</exception>
    public string? GiveBack(PciAddress address, bool force)
    {
        var view = look();
        var device = DeviceSubject.Existing(view, address).Device!;
        if (!device.IsBoundToVfio)
        {
            // An override may be set without its driver being bound. It would keep the function from the host's driver.
            if (OverrideOf(view, address) == HostDevice.VfioDriver)
                Rebind(view, device, null);
            return view.Find(address)?.Driver;
        }
        if (!force && device.IommuGroup is { } group && view.Holders(group) is { Count: > 0 } holders)
        {
            throw new PassthroughException(
                $"{address} is in use by {string.Join(", ", holders)}: end that first, or take it from there with --force");
        }
        Rebind(view, device, null);
        var now = Present(view, address);
        return now.IsBoundToVfio
            ? throw new PassthroughException(
                $"{address}: {now.Driver} has taken it again, since its id is in that driver's own list: "
                + "remove it from 'ids=' of the module, or from new_id")
            : now.Driver;
    }

    /// <summary>Makes a user the owner of a group's device file.</summary>
    /// <param name="address">A function of the group.</param>
    /// <param name="user">The user id.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="PassthroughException">The function has no IOMMU group.</exception>
    /// <exception cref="LinuxException">The file is not there, or the kernel refuses.</exception>
    public string GiveTo(PciAddress address, uint user)
    {
        var view = look();
        if (view.Find(address)?.IommuGroup is not { } group)
            throw new PassthroughException($"{address} has no IOMMU group, and so no device file to give");
        var file = view.DeviceFilePath($"vfio/{group}");
        controls.GiveFile(file, user);
        return file;
    }

    /// <summary>Lists the other members of a function's group that the host's drivers use, which keeps it from a guest.</summary>
    public IReadOnlyList<HostDevice> InTheWay(PciAddress address)
    {
        var subject = DeviceSubject.At(look(), address);
        return subject.Device?.IommuGroup is { } group ? DeviceChecks.HostMembers(subject, group) : [];
    }

    /// <summary>Throws when the host needs the function, unless forced.</summary>
    internal static void CheckLosses(DeviceSubject subject, bool force)
    {
        if (!force && DeviceUseChecks.Losses(subject) is { Count: > 0 } losses)
        {
            throw new PassthroughException(
                $"{subject.Address} is not taken from the host: {string.Join("; ", losses)} (--force takes it all the same)");
        }
    }

    // Sets driver_override and binds the function to that driver; with null, clears it and binds to the kernel's own choice.
    private void Rebind(HostView view, HostDevice device, string? driver)
    {
        var path = HostView.PathOf(device.Address);
        var former = OverrideOf(view, device.Address);
        var done = "";
        try
        {
            controls.Write($"{path}/driver_override", driver ?? "");
            done = "its driver_override is changed";
            if (device.Driver is not null && (driver is not null || device.IsBoundToVfio))
                controls.Write($"{path}/driver/unbind", device.Address.ToString());
            controls.Write("bus/pci/drivers_probe", device.Address.ToString());
            if (driver is null || view.Find(device.Address)?.Driver == driver)
                return;
            throw new PassthroughException($"{driver} did not take it: 'dmesg' says why");
        }
        catch (Exception failure) when (failure is LinuxException or PassthroughException)
        {
            var state = done.Length == 0 ? "nothing was changed" : Undo(view, device, former);
            var rights = failure is LinuxException { Errno: Errno.EACCES or Errno.EPERM } ? RootOnly : "";
            throw new PassthroughException($"{device.Address}: {failure.Message}{rights}; {state}", failure);
        }
    }

    private static string? OverrideOf(HostView view, PciAddress address) =>
        view.Text(address, "driver_override") is { Length: > 0 } text and not NoOverride ? text : null;

    private static HostDevice Present(HostView view, PciAddress address) =>
        view.Find(address) ?? throw new PassthroughException($"{address} was there, and is not any more");

    private void LoadModules(HostView view)
    {
        try
        {
            foreach (var module in Modules.Where(module => !view.Sysfs.Exists($"module/{module}")))
                controls.LoadModule(module);
        }
        catch (IOException failure)
        {
            throw new PassthroughException($"{failure.Message}{(Environment.IsPrivilegedProcess ? "" : RootOnly)}", failure);
        }
    }

    private string Undo(HostView view, HostDevice device, string? formerOverride)
    {
        try
        {
            var path = HostView.PathOf(device.Address);
            controls.Write($"{path}/driver_override", formerOverride ?? "");
            if (device.Driver is not null && view.Find(device.Address)?.Driver is null)
                controls.Write("bus/pci/drivers_probe", device.Address.ToString());
        }
        catch (LinuxException failure)
        {
            return $"putting it back failed, too ({failure.Message}): it has {Name(view.Find(device.Address)?.Driver)} now, "
                + $"before it had {Name(device.Driver)}";
        }
        var now = view.Find(device.Address)?.Driver;
        return now == device.Driver ? "it is as it was" : $"it has {Name(now)} now, before it had {Name(device.Driver)}";
    }

    private string UndoAll(List<ReservedFunction> taken)
    {
        var said = "";
        foreach (var function in taken.Where(static function => !function.WasReserved))
        {
            try
            {
                var now = GiveBack(function.Address, force: true);
                said += now == function.FormerDriver
                    ? $"; {function.Address} is given back, too"
                    : $"; {function.Address} has {Name(now)} now, before it had {Name(function.FormerDriver)}";
            }
            catch (PassthroughException failure)
            {
                said += $"; {failure.Message}";
            }
        }
        return said;
    }

    private static string Name(string? driver) => driver is null ? "no driver" : $"the driver '{driver}'";
}
