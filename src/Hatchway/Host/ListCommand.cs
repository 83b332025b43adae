using System.Globalization;
using Hatchway.CommandLine;
using Hatchway.Passthrough.Host;
using Hatchway.Terminal;

namespace Hatchway.Host;

/// <summary><c>hatchway host list</c>.</summary>
internal static class ListCommand
{
    public const string Details =
        """
        Lists PCI functions and whether each can be given to a guest now. BARs are shown as number:size, 'io' marks I/O ports.
        """;

    public static readonly Option[] Known =
    [
        new("all", null, "bridges, too"),
        new("class", "CLASS", "only these: a code, as 02 or 0108, or a part of the class's name"),
        new("driver", "DRIVER", "only those bound to it; 'none' for those bound to no driver"),
        new("id", "VENDOR[:DEVICE]", "only these, in hexadecimal"),
        HostOptions.File,
        HostOptions.Json,
    ];

    /// <summary>A function, with the checks' results when it is this host's.</summary>
    private sealed record Entry(InspectedFunction Function, CheckReport? Report);

    public static ExitStatus Execute(Arguments arguments)
    {
        arguments.NoMoreThan(0);
        var view = arguments.Value("F") is null ? new HostView() : null;
        var recorded = view is null ? HostOptions.ReadDump(arguments.Value("F")!).Functions : [];
        var devices = view?.Devices ?? [.. recorded.Select(static function => function.Device)];
        var ids = PciIds.Load(devices.Select(static device => (int)device.Vendor).ToHashSet());
        var wanted = Filter(arguments, ids);
        // Only functions that are shown are inspected: on a nested host, reading a function's config space takes milliseconds.
        var entries = view is null
            ? recorded.Where(function => wanted(function.Device)).Select(static function => new Entry(function, null)).ToList()
            : devices.Where(wanted).Select(device => Look(view, device)).ToList();
        if (arguments.Has("json"))
            WriteJson(entries, ids);
        else
            WriteTable(entries, ids, view is not null);
        return CommandStatus.Success;
    }

    private static Entry Look(HostView view, HostDevice device)
    {
        var function = InspectedFunction.Of(view, device);
        return new Entry(function, CheckReport.AtAGlance(view, function));
    }

    private static Func<HostDevice, bool> Filter(Arguments arguments, PciIds ids)
    {
        var tests = new List<Func<HostDevice, bool>>();
        var named = false;
        if (arguments.Value("driver") is { } driver)
            tests.Add(device => (device.Driver ?? "none") == driver);
        if (arguments.Value("class") is { } text)
        {
            named = true;
            tests.Add(device =>
                device.Class.ToString("x6", CultureInfo.InvariantCulture).StartsWith(text, StringComparison.OrdinalIgnoreCase)
                || FunctionWords.Class(ids, device).Contains(text, StringComparison.OrdinalIgnoreCase)
                || (ids.BaseClass(device.Class) ?? "").Contains(text, StringComparison.OrdinalIgnoreCase));
        }
        if (arguments.Value("id") is { } id)
        {
            named = true;
            var parts = id.Split(':');
            var numbers = Array.ConvertAll(parts, static part => Arguments.Hexadecimal(part, "--id"));
            if (parts.Length > 2)
                throw new UserException($"--id '{id}': write it as 8086 or 8086:10fb");
            tests.Add(device => device.Vendor == numbers[0] && (numbers.Length == 1 || device.Device == numbers[1]));
        }
        // A user who names a class or an id wants to see bridges, too.
        if (!arguments.Has("all") && !named)
            tests.Add(static device => !IsBridge(device));
        return device => tests.TrueForAll(test => test(device));
    }

    // Host and ISA bridges have an endpoint's header type and a bridge's class.
    private static bool IsBridge(HostDevice device) => device.IsBridge || device.Class >> 16 == 0x06;

    private static void WriteTable(List<Entry> entries, PciIds ids, bool ofThisHost)
    {
        string[] heads = ["ADDRESS", "ID", "NAME", "CLASS", "DRIVER", "GROUP", "BARS", "RESET", "GUEST"];
        // Columns that a narrow terminal drops, in this order: resets, class, BARs, group.
        var table = ofThisHost ? new Table(heads, Cut: 2, 7, 3, 6, 5) : new Table([.. heads[..4], "BARS"], Cut: 2, 3);
        foreach (var (function, report) in entries)
        {
            var device = function.Device;
            Cell[] known =
                [device.Address.ToString(), FunctionWords.Id(device), FunctionWords.Name(ids, device), FunctionWords.Class(ids, device)];
            if (report is null)
            {
                table.Add([.. known, FunctionWords.Bars(function)]);
                continue;
            }
            table.Add([
                .. known,
                device.Driver ?? "-",
                device.IommuGroup?.ToString(CultureInfo.InvariantCulture) ?? "-",
                FunctionWords.Bars(function) is { Length: > 0 } bars ? bars : "-",
                device.ResetMethods is { Length: > 0 } methods ? methods : "-",
                Verdict(report)]);
        }
        table.Write();
        if (entries.Exists(static entry => entry.Report is { IsFit: false }))
            Console.Error.WriteLine("\n'hatchway host check ADDRESS' says why not, and what to do.");
    }

    private static Cell Verdict(CheckReport report) => report.IsFit
        ? new Cell("ready", Tone.Good)
        : new Cell($"no: {string.Join(", ", report.Problems.Select(static problem => problem.Check))}", Tone.Bad);

    private static void WriteJson(List<Entry> entries, PciIds ids) => JsonOutput.Write(json =>
    {
        json.WriteStartArray();
        foreach (var (function, report) in entries)
        {
            json.WriteStartObject();
            JsonOutput.WriteFunction(json, function, ids);
            if (report is not null)
            {
                json.WriteBoolean("fit", report.IsFit);
                json.WriteStrings("problems", report.Problems.Select(static problem => problem.Check));
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });
}
