using System.Globalization;
using System.Text.Json;
using Hatchway.CommandLine;
using Hatchway.Logging;
using Hatchway.Terminal;
using Hatchway.Vm;

namespace Hatchway.Control;

/// <summary><c>hatchway ps</c>, <c>stop</c>, <c>kill</c>, <c>pause</c>, <c>resume</c>, <c>console</c> and <c>stats</c>: requests to
/// running guests over their control sockets.</summary>
internal static class ControlCommands
{
    private static readonly Option Json = new("json", null, "print JSON");

    /// <summary>The commands, for the program's table.</summary>
    public static readonly IReadOnlyList<Command> Known =
    [
        Of("ps", "[--json]", "list running guests", [Json]),
        Of("stop", "NAME...", "press a guest's power button and wait for its end", []),
        Of("kill", "NAME...", "end a guest at once", []),
        Of("pause", "NAME...", "let a guest's CPUs stand still", []),
        Of("resume", "NAME...", "let a paused guest's CPUs go on", []),
        Of("console", "NAME", "use a guest's com1 on this terminal; Ctrl-A x leaves it, and the guest goes on", []),
        Of("stats", "NAME... [--json]", "print a guest's counters: exits by kind, accesses and interrupts of its devices", [Json]),
    ];

    // A list waits no longer: a guest that has not answered by then gets a warning and is left out.
    private static readonly TimeSpan ListBound = TimeSpan.FromSeconds(10);

    private static Command Of(string name, string usage, string summary, Option[] options) => Command.Of(
        name, usage, summary, options, name == "ps" ? WordKind.Other : WordKind.Guest,
        $"{char.ToUpperInvariant(summary[0])}{summary[1..]}.", arguments => Execute(name, arguments));

    private static ExitStatus Execute(string command, Arguments arguments)
    {
        var isJson = arguments.Has(Json.Name);
        var folder = ControlFolder.OfUser()
            ?? throw new UserException(
                "there is no XDG_RUNTIME_DIR to look for guests in: log in so that there is one, or run this as the guest's user");
        if (command == "ps")
        {
            arguments.NoMoreThan(0);
            return List(folder, new ControlClient(folder) { Bound = ListBound }, isJson);
        }
        if (command == "console")
            arguments.NoMoreThan(1);
        var client = new ControlClient(folder);
        for (var i = 0; i < Math.Max(1, arguments.Count); i++)
            Ask(client, command, arguments.Operand(i, "a guest's name ('hatchway ps' lists them)"), isJson);
        return CommandStatus.Success;
    }

    private static void Ask(ControlClient client, string command, string name, bool isJson)
    {
        if (command is "stop" or "kill")
        {
            if (!client.TryEnd(name, command, out var end))
                throw Unknown(name);
            if (command == "stop" && end == nameof(EndReason.Stopped))
                StandardErrorLogger.Write($"the guest '{name}' did not power off, and was switched off");
            return;
        }
        if (command == "console")
        {
            using var connection = client.TryAttach(name) ?? throw Unknown(name);
            ConsoleCommand.Join(connection);
            return;
        }
        var answer = client.TryAsk(name, command) ?? throw Unknown(name);
        if (command == "stats")
            Console.Out.WriteLine(isJson ? answer.GetRawText() : Flatten(answer));
    }

    private static UserException Unknown(string name) => new($"no guest called '{name}' runs: 'hatchway ps' lists those of this user");

    private static ExitStatus List(ControlFolder folder, ControlClient client, bool isJson)
    {
        var guests = folder.Names().AsParallel().AsOrdered().Select(name => AskForList(client, name)).OfType<JsonElement>().ToArray();
        if (isJson)
        {
            Console.Out.WriteLine($"[{string.Join(",", guests.Select(static guest => guest.GetRawText()))}]");
            return CommandStatus.Success;
        }
        var table = new Table(["NAME", "PID", "STATE", "CPUS", "MEMORY", "UP", "DEVICES"], Cut: 0);
        foreach (var guest in guests)
        {
            table.Add(
                guest.GetProperty("name").GetString()!,
                guest.GetProperty("pid").GetRawText(),
                guest.GetProperty("state").GetString()!,
                guest.GetProperty("cpus").GetRawText(),
                MemorySize.Format(guest.GetProperty("memory").GetUInt64()),
                TimeSpan.FromSeconds(Math.Floor(guest.GetProperty("seconds").GetDouble())).ToString("c", CultureInfo.InvariantCulture),
                string.Join(' ', guest.GetProperty("devices").EnumerateArray().Select(static device => device.GetString())));
        }
        table.Write();
        return CommandStatus.Success;
    }

    private static JsonElement? AskForList(ControlClient client, string name)
    {
        try
        {
            return client.TryAsk(name, "status");
        }
        catch (UserException failure)
        {
            StandardErrorLogger.Write($"warning: {failure.Message}");
            return null;
        }
    }

    // One line for each number that is not zero: "vcpus.0.mmio_exits 12".
    private static string Flatten(JsonElement element)
    {
        var lines = new List<string>();
        Flatten("", element, lines);
        return string.Join('\n', lines);
    }

    private static void Flatten(string path, JsonElement element, List<string> lines)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var property in element.EnumerateObject())
                    Flatten(path.Length == 0 ? property.Name : $"{path}.{property.Name}", property.Value, lines);
                break;
            case JsonValueKind.Array:
                var at = 0;
                foreach (var item in element.EnumerateArray())
                    Flatten($"{path}.{at++}", item, lines);
                break;
            case JsonValueKind.Number when element.GetRawText() == "0":
                break;
            default:
                lines.Add($"{path} {element}");
                break;
        }
    }
}
