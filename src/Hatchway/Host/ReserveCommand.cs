using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Passthrough;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Host;

/// <summary><c>hatchway host reserve</c>: takes functions from the host's drivers.</summary>
internal static class ReserveCommand
{
    private const string Name = "host reserve";

    private const string HelpText =
        """
        usage: hatchway host reserve [options] BDF...

        Takes PCI functions from the host's drivers and binds them to vfio-pci, for guests: all of them, or none. What would take the
        host down is refused: the disk it runs from, or any that is mounted, its way to the network, its console.
        """;

    private static readonly Option[] Known =
    [
        new("user", "NAME", "give the group's device file to this user, who then needs no root"),
        new("force", null, "take it even when the host goes down with it"),
    ];

    public static ExitStatus Execute(ReadOnlySpan<string> words)
    {
        var arguments = new Arguments(Name, words, Known);
        if (arguments.WantsHelp)
            return Arguments.PrintHelp(HelpText, Known);
        var addresses = arguments.Addresses();
        var user = arguments.Value("user") is { } name
            ? HostUser.NumberOf(name) ?? throw new UserException($"--user {name}: this host has no such user")
            : (uint?)null;
        var reservation = new Reservation(static () => new HostView(), new HostControls());
        foreach (var taken in reservation.Take(addresses, arguments.Has("force")))
            Console.Out.WriteLine(Words(taken));
        if (user is { } number)
            Give(reservation, addresses, number, arguments.Value("user")!);
        foreach (var (members, group) in Missing(reservation, addresses))
            Console.Out.WriteLine($"IOMMU group {group} goes to one guest whole, and the host still uses {members}: reserve that, too");
        return ExitStatus.Rebooted;
    }

    private static string Words(ReservedFunction taken) => taken switch
    {
        { WasReserved: true } => $"{taken.Address} is reserved already",
        { FormerDriver: { } driver } => $"{taken.Address} is reserved, taken from {driver}",
        _ => $"{taken.Address} is reserved",
    };

    private static void Give(Reservation reservation, IReadOnlyList<PciAddress> addresses, uint user, string name)
    {
        foreach (var file in addresses.Select(address => reservation.GiveTo(address, user)).Distinct().ToList())
            Console.Out.WriteLine($"{file} is {name}'s");
    }

    // Each group with what keeps it from a guest.
    private static IEnumerable<(string Members, int Group)> Missing(Reservation reservation, IReadOnlyList<PciAddress> addresses) => addresses
        .SelectMany(reservation.InTheWay)
        .DistinctBy(static member => member.Address)
        .GroupBy(static member => member.IommuGroup!.Value)
        .Select(static group => (string.Join(", ", group.Select(static member => $"{member.Address} ({member.Driver})")), group.Key));
}
