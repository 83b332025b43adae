namespace Hatchway.CommandLine;

/// <summary>Executes a command, given the words after its name.</summary>
internal delegate ExitStatus CommandBody(ReadOnlySpan<string> words);

/// <summary>What a word on a command line stands for; this selects its completion.</summary>
internal enum WordKind
{
    /// <summary>Anything that can't be completed.</summary>
    Other,

    /// <summary>A file of the host.</summary>
    File,

    /// <summary>A PCI function of the host.</summary>
    Function,

    /// <summary>A running guest.</summary>
    Guest,

    /// <summary>A user of the host.</summary>
    User,

    /// <summary>A shell.</summary>
    Shell,
}

/// <summary>One command, as the program, its help, the completion and the manual pages know it.</summary>
/// <param name="Name">One word or two, as <c>host list</c>.</param>
/// <param name="Usage">The synopsis after its name.</param>
/// <param name="Summary">A line that says what it does.</param>
/// <param name="Options">Its options, without --help, which every command has.</param>
/// <param name="Operand">What its first operand stands for, or each of several.</param>
/// <param name="Execute">Executes it.</param>
internal sealed record Command(
    string Name, string Usage, string Summary, IReadOnlyList<Option> Options, WordKind Operand, CommandBody Execute)
{
    /// <summary>The name's first word, as <c>host</c>, which related commands share.</summary>
    public string Group => Name.Split(' ')[0];

    /// <summary>Makes a command that takes options and operands in any order, and answers <c>--help</c>.</summary>
    /// <param name="name">One word or two.</param>
    /// <param name="usage">The synopsis after its name.</param>
    /// <param name="summary">A line that says what it does.</param>
    /// <param name="options">Its options, without --help.</param>
    /// <param name="operand">What its first operand stands for, or each of several.</param>
    /// <param name="details">The help's text below the synopsis.</param>
    /// <param name="body">Executes it.</param>
    /// <param name="orUsage">A second synopsis.</param>
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
