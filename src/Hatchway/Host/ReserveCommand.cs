using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Logging;
using Hatchway.Passthrough;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Host;

/// <summary><c>hatchway host reserve</c>: takes functions from the host's drivers.</summary>
internal static class ReserveCommand
{
    public const string Details =
        $"""
        Takes PCI functions from the host's drivers and binds them to vfio-pci, for guests: all of them, or none. What would take the
        host down is refused: the disk it runs from, or any that is mounted, its way to the network, its console.
        With --from-config, as at boot, takes those of {PersistentFile.FullName}, each if it is still the same device.
        """;

    public static readonly Option[] Known =
    [
        new("user", "USER", "give the group's device file to this user, who then needs no root"),
        new("own-page", null, "first move BARs that share a page to pages of their own, so that they can be mapped"),
        new("persist", null, "at each boot, too"),
        new("from-config", null, "take what is to be taken at each boot"),
        new("found", null, "with --from-config: what was found after the start; no BARs are moved"),
        new("force", null, "take it even when the host goes down with it"),
    ];

    public static ExitStatus Execute(Arguments arguments)
    {
        var force = arguments.Has("force");
        if (arguments.Has("from-config"))
        {
            arguments.NoMoreThan(0);
            arguments.Refuse($"with --from-config, where {PersistentFile.FullName} says it for each device", "user", "own-page", "persist");
            return TakeConfigured(force, arguments.Has("found"));
        }
        arguments.Refuse("without --from-config", "found");
        var addresses = arguments.Addresses();
        var (user, ownPage) = (arguments.Value("user"), arguments.Has("own-page"));
        var status = Take(addresses, user, ownPage, force);
        if (arguments.Has("persist"))
            Persist(addresses, user, ownPage);
        return status;
    }

    // Returns an error when a BAR could not be moved; all other failures throw.
    private static ExitStatus Take(IReadOnlyList<PciAddress> addresses, string? user, bool ownPage, bool force)
    {
        var number = user is null
            ? (uint?)null
            : HostUser.NumberOf(user) ?? throw new UserException($"--user {user}: this host has no such user");
        var controls = new HostControls();
        // A function whose BARs can't be moved is reserved anyway; the host's driver may hold it until then.
        var notMoved = ownPage ? MoveToOwnPages(new OwnPages(static () => new HostView(), controls), addresses, force) : [];
        var reservation = new Reservation(static () => new HostView(), controls);
        foreach (var taken in reservation.Take(addresses, force))
            Console.Out.WriteLine(Words(taken));
        if (number is { } id)
        {
            foreach (var file in addresses.Select(address => reservation.GiveTo(address, id)).Distinct().ToList())
                Console.Out.WriteLine($"{file} is {user}'s");
        }
        foreach (var (members, group) in Missing(reservation, addresses))
            Console.Out.WriteLine($"IOMMU group {group} goes to one guest whole, and the host still uses {members}: reserve that, too");
        foreach (var failure in notMoved)
            StandardErrorLogger.Write(failure);
        return notMoved.Count == 0 ? CommandStatus.Success : ExitStatus.Error;
    }

    private static ExitStatus TakeConfigured(bool force, bool found)
    {
        var status = CommandStatus.Success;
        foreach (var device in PersistentFile.Read())
        {
            try
            {
                if (device.Objection(new HostView(), PersistentFile.FullName) is { } objection)
                    throw new PassthroughException(objection);
                if (Take([device.Address], device.User, device.OwnPage && !found, force) != CommandStatus.Success)
                    status = ExitStatus.Error;
            }
            catch (Exception failure) when (failure is PassthroughException or UserException or LinuxException)
            {
                // The other functions are reserved all the same.
                StandardErrorLogger.Write(failure.Message);
                status = ExitStatus.Error;
            }
        }
        return status;
    }

    private static void Persist(IReadOnlyList<PciAddress> addresses, string? user, bool ownPage)
    {
        var view = new HostView();
        var devices = PersistentFile.Read().Where(device => !addresses.Contains(device.Address)).ToList();
        foreach (var address in addresses.Distinct())
        {
            var found = view.Find(address)!;
            devices.Add(new PersistentDevice(address, found.Vendor, found.Device, user, ownPage));
        }
        PersistentFile.Write(devices);
        Console.Out.WriteLine($"{PersistentFile.FullName} has {string.Join(", ", addresses.Distinct())} for the next boots");
        foreach (var reminder in PersistentFile.Reminders())
            Console.Out.WriteLine(reminder);
    }

    // Prints what was moved; returns a line for each function whose BARs can't be.
    private static List<string> MoveToOwnPages(OwnPages pages, IReadOnlyList<PciAddress> addresses, bool force)
    {
        var failures = new List<string>();
        foreach (var address in addresses)
        {
            try
            {
                var moved = pages.Give(address, force);
                if (moved.Count == 0)
                    Console.Out.WriteLine($"{address} has no BAR to be moved: each has its pages to itself");
                foreach (var (bar, from, to) in moved)
                    Console.Out.WriteLine($"{address} {bar} is moved from {from.Start:x8}-{from.Last:x8} to {to.Start:x8}-{to.Last:x8}");
            }
            catch (PassthroughException failure)
            {
                failures.Add(failure.Message);
            }
        }
        return failures;
    }

    private static string Words(ReservedFunction taken) => taken switch
    {
        { WasReserved: true } => $"{taken.Address} is reserved already",
        { FormerDriver: { } driver } => $"{taken.Address} is reserved, taken from {driver}",
        _ => $"{taken.Address} is reserved",
    };

    // The members of each group that keep it from a guest.
    private static IEnumerable<(string Members, int Group)> Missing(Reservation reservation, IReadOnlyList<PciAddress> addresses) =>
        addresses.SelectMany(reservation.InTheWay)
            .DistinctBy(static member => member.Address)
            .GroupBy(static member => member.IommuGroup!.Value)
            .Select(static group => (string.Join(", ", group.Select(static member => $"{member.Address} ({member.Driver})")), group.Key));
}
