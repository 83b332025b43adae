namespace Hatchway.CommandLine;

/// <summary>The parts that the completions of all shells share.</summary>
internal static class CompletionWords
{
    /// <summary>The commands' first words, each with a summary.</summary>
    public static IEnumerable<(string Word, string Summary)> First { get; } = Commands.All
        .GroupBy(static command => command.Group)
        .Select(static group => (group.Key, group.Count() == 1 ? group.First().Summary : string.Join(", ", group.Select(Second))));

    /// <summary>The first words of two-word commands.</summary>
    public static IEnumerable<string> Groups { get; } =
        [.. Commands.All.Where(static command => command.Name != command.Group).Select(static command => command.Group).Distinct()];

    /// <summary>The second word of a two-word command.</summary>
    public static string Second(Command command) => command.Name[(command.Group.Length + 1)..];

    /// <summary>A command's options with --help.</summary>
    public static IEnumerable<Option> Options(Command command) =>
        command.Options.Any(static option => option.Name == Arguments.Help.Name) ? command.Options : [.. command.Options, Arguments.Help];

    /// <summary>A shell command that prints all words of a kind, one a line; null where the shell knows them itself, or none can.</summary>
    public static string? Source(WordKind kind) => kind switch
    {
        WordKind.Function => "command ls /sys/bus/pci/devices 2> /dev/null",
        WordKind.User => "cut -d : -f 1 /etc/passwd",
        WordKind.Guest => "hatchway ps 2> /dev/null | sed -n '2,$s/  .*//p'",
        WordKind.Shell => "printf '%s\\n' bash zsh fish",
        _ => null,
    };
}
