using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Passthrough.Host;

namespace Hatchway.Host;

/// <summary><c>hatchway host release</c>: gives functions back to the host's drivers.</summary>
internal static class ReleaseCommand
{
    private const string Name = "host release";

    private const string HelpText =
        """
        usage: hatchway host release [options] BDF...

        Gives PCI functions back to the host: each goes to the driver that the kernel has for it, if that is loaded.
        """;

    private static readonly Option[] Known =
    [
        new("force", null, "take it from a guest that has it"),
    ];

    public static ExitStatus Execute(ReadOnlySpan<string> words)
    {
        var arguments = new Arguments(Name, words, Known);
        if (arguments.WantsHelp)
            return Arguments.PrintHelp(HelpText, Known);
        var addresses = arguments.Addresses();
        var reservation = new Reservation(static () => new HostView(), new HostControls());
        foreach (var address in addresses)
        {
            var wasReserved = new HostView().Find(address) is { IsBoundToVfio: true };
            var driver = reservation.GiveBack(address, arguments.Has("force"));
            Console.Out.WriteLine((wasReserved, driver) switch
            {
                (false, null) => $"{address} is not reserved, and has no driver",
                (false, _) => $"{address} is not reserved, {driver} has it",
                (true, null) => $"{address} is released; no driver of the host has taken it",
                (true, _) => $"{address} is released, {driver} has it",
            });
        }
        return ExitStatus.Rebooted;
    }
}
