using Hatchway.CommandLine;
using Hatchway.Logging;
using Hatchway.Passthrough;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Host;

/// <summary><c>hatchway host release</c>: gives functions back to the host's drivers.</summary>
internal static class ReleaseCommand
{
    public const string Details =
        """
        Gives PCI functions back to the host: each goes to the driver that the kernel has for it, if that is loaded.
        """;

    public static readonly Option[] Known =
    [
        new("persist", null, "do not take it at the next boots"),
        new("force", null, "take it from a guest that has it"),
    ];

    public static ExitStatus Execute(Arguments arguments)
    {
        var addresses = arguments.Addresses();
        var reservation = new Reservation(static () => new HostView(), new HostControls());
        var status = CommandStatus.Success;
        foreach (var address in addresses)
        {
            try
            {
                Console.Out.WriteLine(Release(reservation, address, arguments.Has("force"), arguments.Has("persist")));
            }
            catch (PassthroughException failure)
            {
                // The other functions are released all the same, and the file is updated, too.
                StandardErrorLogger.Write(failure.Message);
                status = ExitStatus.Error;
            }
        }
        Forget(addresses, arguments.Has("persist"));
        return status;
    }

    private static string Release(Reservation reservation, PciAddress address, bool force, bool persist)
    {
        var found = new HostView().Find(address);
        if (found is null && persist && PersistentFile.Read().Any(device => device.Address == address))
            return $"{address} is not there";
        return (found is { IsBoundToVfio: true }, reservation.GiveBack(address, force)) switch
        {
            (false, null) => $"{address} is not reserved, and has no driver",
            (false, var driver) => $"{address} is not reserved, {driver} has it",
            (true, null) => $"{address} is released; no driver of the host has taken it",
            (true, var driver) => $"{address} is released, {driver} has it",
        };
    }

    private static void Forget(IReadOnlyList<PciAddress> addresses, bool persist)
    {
        var devices = PersistentFile.Read();
        var stay = devices.Where(device => !addresses.Contains(device.Address)).ToList();
        if (stay.Count == devices.Count)
            return;
        var named = string.Join(", ", addresses.Where(address => devices.Any(device => device.Address == address)));
        if (!persist)
        {
            Console.Out.WriteLine($"{PersistentFile.FullName} has {named} still, for the next boot: --persist takes it out");
            return;
        }
        PersistentFile.Write(stay);
        Console.Out.WriteLine($"{PersistentFile.FullName} has {named} no more");
        foreach (var reminder in PersistentFile.Reminders())
            Console.Out.WriteLine(reminder);
    }
}
