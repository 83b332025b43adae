namespace Hatchway.CommandLine;

/// <summary>What a command does with the words after its name.</summary>
internal delegate ExitStatus CommandBody(ReadOnlySpan<string> words);

/// <summary>What a word on a command line stands for: where its completion comes from.</summary>
internal enum WordKind
{
    /// <summary>Something that can't be guessed.</summary>
    Other,

    /// <summary>A file of the host.</summary>
    File,

    /// <summary>A PCI function of the host.</summary>
    Function,

    /// <summary>A guest that runs.</summary>
    Guest,

    /// <summary>A user of the host.</summary>
    User,

    /// <summary>A shell.</summary>
    Shell,
}

/// <summary>One command: what the program, its help, the completion and the manual pages know of it.</summary>
/// <param name="Name">One word or two, as <c>host list</c>.</param>
/// <param name="Usage">What follows its name.</param>
/// <param name="Summary">What it does, in a line.</param>
/// <param name="Options">Its options, without --help, which each has.</param>
/// <param name="Operand">What its first operand is, and where they may be several, each.</param>
/// <param name="Execute">Does it.</param>
internal sealed record Command(
    string Name, string Usage, string Summary, IReadOnlyList<Option> Options, WordKind Operand, CommandBody Execute)
{
    /// <summary>The command, or the first word of those that go together, as <c>host</c>.</summary>
    public string Group => Name.Split(' ')[0];

    /// <summary>One that has its options and operands in any order, and answers <c>--help</c>.</summary>
    /// <param name="name">One word or two.</param>
    /// <param name="usage">What follows its name.</param>
    /// <param name="summary">What it does, in a line.</param>
    /// <param name="options">Its options, without --help.</param>
    /// <param name="operand">What its first operand is, and where they may be several, each.</param>
    /// <param name="details">What its help says below its usage.</param>
    /// <param name="body">Does it.</param>
    /// <param name="orUsage">What else may follow its name.</param>
    public static Command Of(
        string name, string usage, string summary, IReadOnlyList<Option> options, WordKind operand, string details,
        Func<Arguments, ExitStatus> body, string? orUsage = null) => new(name, usage, summary, options, operand, words =>
    {
        var arguments = new Arguments(name, words, options);
        var other = orUsage is null ? "" : $"       hatchway {name} {orUsage}\n";
        return arguments.WantsHelp
            ? Arguments.PrintHelp($"usage: hatchway {name} {usage}\n{other}\n{details}", options)
            : body(arguments);
    });

    /// <summary>What an option's argument stands for.</summary>
    public static WordKind ArgumentOf(Option option) => option.Argument switch
    {
        "FILE" => WordKind.File,
        "USER" => WordKind.User,
        _ => WordKind.Other,
    };
}
