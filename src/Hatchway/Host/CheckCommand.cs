using Hatchway.CommandLine;
using Hatchway.Passthrough.Host;
using Hatchway.Terminal;

namespace Hatchway.Host;

/// <summary><c>hatchway host check</c>: says why a function can't be passed through, and what to do.</summary>
internal static class CheckCommand
{
    private const ulong DefaultMemory = 256ul << 20;

    public const string Details =
        """
        Asks what can keep this host, and with BDF one function of it, from giving a device to a guest. Nothing is changed.
        Exit status: 0 nothing is in the way, 1 something is, 4 an error.
        """;

    public static readonly Option[] Known =
    [
        new("m", "SIZE", "memory of the guest that is meant, as 2G; 256M by default"),
        HostOptions.Json,
    ];

    public static string Key(FindingLevel level) => level switch
    {
        FindingLevel.Ok => "ok",
        FindingLevel.Note => "note",
        _ => "problem",
    };

    public static ExitStatus Execute(Arguments arguments)
    {
        arguments.NoMoreThan(1);
        var view = new HostView();
        var memory = arguments.Value("m") is { } text ? MemorySize.Parse($"-m {text}", text) : DefaultMemory;
        var report = CheckReport.OfHost(HostSubject.ForThisProcess(view, memory));
        if (arguments.Count > 0)
        {
            var address = arguments.Address(0);
            if (view.Find(address) is null)
                throw new UserException(DeviceSubject.At(view, address).NotThere);
            report = new CheckReport([.. report.Results, .. CheckReport.OfDevice(view, address).Results]);
        }
        if (arguments.Has("json"))
            JsonOutput.Write(json => JsonOutput.WriteChecks(json, report));
        else
            WriteTable(report, arguments.Count > 0 ? arguments.Address(0).ToString() : null);
        return report.IsFit ? CommandStatus.Success : CommandStatus.InTheWay;
    }

    private static void WriteTable(CheckReport report, string? address)
    {
        var table = new Table(["", "CHECK", "FINDING"], Cut: null);
        foreach (var (check, finding) in report.Results)
        {
            var tone = finding.Level switch
            {
                FindingLevel.Ok => Tone.Good,
                FindingLevel.Note => Tone.Notable,
                _ => Tone.Bad,
            };
            var text = finding.Remedy is { } remedy ? $"{finding.Text}\n-> {remedy}" : finding.Text;
            table.Add(new Cell(Key(finding.Level), tone), check, text);
        }
        table.Write();
        var problems = report.Problems.Count();
        var what = address ?? "this host's devices";
        Console.Out.WriteLine(problems switch
        {
            0 when address is null => "\nNothing of this host is in the way; 'hatchway host check BDF' asks about one device.",
            0 => $"\n{what} can be given to a guest.",
            1 => $"\n{what} can't be given to a guest: there is 1 problem.",
            _ => $"\n{what} can't be given to a guest: there are {problems} problems.",
        });
    }
}
