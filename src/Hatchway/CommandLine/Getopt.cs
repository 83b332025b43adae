namespace Hatchway.CommandLine;

/// <summary>An option of a command.</summary>
/// <param name="Name">A letter for <c>-x</c>, a word for <c>--word</c>.</param>
/// <param name="Argument">The argument's name in the help, or null when it takes none.</param>
/// <param name="Help">A line that says what it does.</param>
internal sealed record Option(string Name, string? Argument, string Help)
{
    /// <summary>The option as typed.</summary>
    public string Display => Name.Length == 1 ? $"-{Name}" : $"--{Name}";
}

/// <summary>Options in the order given, and the remaining words.</summary>
internal sealed record ParsedArguments(IReadOnlyList<(Option Option, string Value)> Options, IReadOnlyList<string> Operands);

/// <summary>
/// POSIX's getopt with long options: <c>-AHP</c>, <c>-c 2</c>, <c>-c2</c>, <c>--kernel FILE</c>, <c>--kernel=FILE</c>, <c>--</c>. As with
/// bhyve's, options come before operands.
/// </summary>
internal static class Getopt
{
    public static ParsedArguments Parse(string command, ReadOnlySpan<string> arguments, IReadOnlyList<Option> known)
    {
        var options = new List<(Option, string)>();
        var at = 0;
        while (at < arguments.Length)
        {
            var word = arguments[at];
            if (word == "--")
            {
                at++;
                break;
            }
            if (word.StartsWith("--", StringComparison.Ordinal))
                at += ParseLong(command, arguments[at..], known, options);
            else if (word.Length > 1 && word[0] == '-')
                at += ParseShort(command, arguments[at..], known, options);
            else
                break;
        }
        return new ParsedArguments(options, arguments[at..].ToArray());
    }

    // Each returns the number of words that it consumed.
    private static int ParseLong(string command, ReadOnlySpan<string> words, IReadOnlyList<Option> known, List<(Option, string)> options)
    {
        var word = words[0][2..];
        var equals = word.IndexOf('=', StringComparison.Ordinal);
        var name = equals < 0 ? word : word[..equals];
        var option = Find(command, known, name, $"--{name}", static o => o.Name.Length > 1);
        if (option.Argument is null)
        {
            if (equals >= 0)
                throw new UserException($"option --{name} takes no argument, but '{word[(equals + 1)..]}' was given");
            options.Add((option, ""));
            return 1;
        }
        if (equals >= 0)
        {
            options.Add((option, word[(equals + 1)..]));
            return 1;
        }
        options.Add((option, Next(words, option)));
        return 2;
    }

    private static int ParseShort(string command, ReadOnlySpan<string> words, IReadOnlyList<Option> known, List<(Option, string)> options)
    {
        var word = words[0];
        for (var i = 1; i < word.Length; i++)
        {
            var option = Find(command, known, word[i].ToString(), $"-{word[i]}", static o => o.Name.Length == 1);
            if (option.Argument is null)
            {
                options.Add((option, ""));
                continue;
            }
            if (i + 1 < word.Length)
            {
                options.Add((option, word[(i + 1)..]));
                return 1;
            }
            options.Add((option, Next(words, option)));
            return 2;
        }
        return 1;
    }

    private static string Next(ReadOnlySpan<string> words, Option option) =>
        words.Length > 1 ? words[1] : throw new UserException($"option {option.Display} needs an argument: {option.Argument}");

    private static Option Find(string command, IReadOnlyList<Option> known, string name, string display, Predicate<Option> kind)
    {
        foreach (var option in known)
        {
            if (option.Name == name && kind(option))
                return option;
        }
        throw new UserException($"unknown option '{display}': 'hatchway {command} --help' lists the options");
    }
}
