using System.Text;
using Hatchway.CommandLine;
using Hatchway.Control;
using Hatchway.Host;
using Hatchway.Passthrough.Host;

namespace Hatchway;

/// <summary>All commands. The help, the shells' completion and the manual pages' test use this table.</summary>
internal static class Commands
{
    /// <summary>The commands, in the order of the help.</summary>
    public static IReadOnlyList<Command> All { get; } =
    [
        new("run", "[options] NAME", "start a guest, with bhyve's options; so does the program under the name bhyve",
            Flags.Known, WordKind.Other, RunCommand.Execute),
        .. ControlCommands.Known,
        Command.Of(
            "host list", "[options]", "PCI functions, and whether they can be given to a guest",
            ListCommand.Known, WordKind.Other, ListCommand.Details, ListCommand.Execute),
        Command.Of(
            "host show", "[options] BDF", "everything about one",
            ShowCommand.Known, WordKind.Function, ShowCommand.Details, ShowCommand.Execute),
        Command.Of(
            "host check", "[options] [BDF]", "why it can't be given to a guest, and what to do",
            CheckCommand.Known, WordKind.Function, CheckCommand.Details, CheckCommand.Execute),
        Command.Of(
            "host reserve", "[options] BDF...", "take it from the host's driver, for guests",
            ReserveCommand.Known, WordKind.Function, ReserveCommand.Details, ReserveCommand.Execute, orUsage: "--from-config"),
        Command.Of(
            "host release", "[options] BDF...", "give it back",
            ReleaseCommand.Known, WordKind.Function, ReleaseCommand.Details, ReleaseCommand.Execute),
        new("config read", "BDF OFFSET[.b|.w|.l]", "read a register of a function's config space",
            [], WordKind.Function, static words => RegisterCommand.Config(AccessDirection.Read, words)),
        new("config write", "BDF OFFSET[.b|.w|.l] VALUE", "write it",
            [], WordKind.Function, static words => RegisterCommand.Config(AccessDirection.Write, words)),
        new("bar read", "[options] BDF BAR OFFSET", "read a register in a BAR",
            [RegisterCommand.Width], WordKind.Function, static words => RegisterCommand.Bar(AccessDirection.Read, words)),
        new("bar write", "[options] BDF BAR OFFSET VALUE", "write it",
            [RegisterCommand.Width], WordKind.Function, static words => RegisterCommand.Bar(AccessDirection.Write, words)),
        new("bar dump", "[options] BDF BAR [OFFSET [LENGTH]]", "read many, once or again and again",
            RegisterCommand.DumpOptions, WordKind.Function, RegisterCommand.Dump),
        Command.Of(
            "completion", "bash|zsh|fish", "print what lets a shell complete commands and options",
            [], WordKind.Shell, CompletionCommand.Details, CompletionCommand.Execute),
    ];

    /// <summary>Finds and executes the command that the words begin with.</summary>
    /// <exception cref="UserException">There is no such command.</exception>
    public static ExitStatus Execute(ReadOnlySpan<string> words)
    {
        foreach (var command in All)
        {
            var name = command.Name.Split(' ');
            if (words.Length >= name.Length && words[..name.Length].SequenceEqual(name))
                return command.Execute(words[name.Length..]);
        }
        var group = words[0];
        var members = All.Where(command => command.Group == group && command.Name != group).ToList();
        if (members.Count == 0)
            throw new UserException($"unknown command '{group}': 'hatchway --help' lists them");
        switch (words[1..])
        {
            case ["--help", ..]:
                Console.Out.Write(Lines(members));
                return CommandStatus.Success;
            case []:
                var verbs = string.Join(", ", members.Select(member => member.Name[(group.Length + 1)..]));
                throw new UserException($"{group}: a command is missing, one of {verbs}: 'hatchway {group} --help' tells more");
            default:
                throw new UserException($"{group}: unknown command '{words[1]}': 'hatchway {group} --help' lists them");
        }
    }

    /// <summary>A line for each command: its synopsis and its summary.</summary>
    public static string Lines(IEnumerable<Command> commands)
    {
        var text = new StringBuilder();
        foreach (var command in commands)
            text.Append($"hatchway {command.Name} {command.Usage}".PadRight(54)).Append("  ").Append(command.Summary).Append('\n');
        return text.ToString();
    }
}
