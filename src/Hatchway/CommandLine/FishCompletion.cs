using System.Text;

namespace Hatchway.CommandLine;

/// <summary>Completion for fish (fish's complete(1)).</summary>
internal static class FishCompletion
{
    /// <summary>The script that fish reads.</summary>
    public static string Script
    {
        get
        {
            var text = new StringBuilder("# fish completion for hatchway, made by 'hatchway completion fish'\ncomplete -c hatchway -f\n");
            foreach (var (word, summary) in CompletionWords.First)
                text.Append($"complete -c hatchway -n __fish_use_subcommand -a {word} -d {Quote(summary)}\n");
            text.Append("complete -c hatchway -n __fish_use_subcommand -l version\n");
            foreach (var command in Commands.All)
                AppendCommand(text, command);
            return text.ToString();
        }
    }

    private static void AppendCommand(StringBuilder text, Command command)
    {
        var given = $"__fish_seen_subcommand_from {command.Group}";
        if (command.Name != command.Group)
        {
            var verbs = Commands.All.Where(other => other.Group == command.Group).Select(CompletionWords.Second);
            text.Append($"complete -c hatchway -n '{given}; and not __fish_seen_subcommand_from {string.Join(' ', verbs)}'")
                .Append($" -a {CompletionWords.Second(command)} -d {Quote(command.Summary)}\n");
            given += $"; and __fish_seen_subcommand_from {CompletionWords.Second(command)}";
        }
        foreach (var option in CompletionWords.Options(command))
        {
            text.Append($"complete -c hatchway -n '{given}' {(option.Name.Length == 1 ? "-s" : "-l")} {option.Name}")
                .Append($" -d {Quote(option.Help)}");
            if (option.Argument is not null)
                text.Append(Command.ArgumentOf(option) == WordKind.File ? " -r -F" : $" -x{Words(Command.ArgumentOf(option))}");
            text.Append('\n');
        }
        if (Words(command.Operand) is { Length: > 0 } words)
            text.Append($"complete -c hatchway -n '{given}'{words}\n");
    }

    // fish treats $(...) and "${name:-word}" differently from sh.
    private static string Words(WordKind kind) =>
        CompletionWords.Source(kind) is { } source ? $" -a {Quote($"(sh -c {Quote(source)})")}" : "";

    private static string Quote(string text) =>
        $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
