using System.Diagnostics;
using System.Text.Json;
using Hatchway.CommandLine;

namespace Hatchway.Tests.CommandLine;

/// <summary>The table of commands, and the help, completion and manual pages that belong to it.</summary>
public sealed class CommandsTests
{
    private static readonly DirectoryInfo Pages = new(Path.Combine(FindRoot(), "docs/man"));

    public static TheoryData<string> Names { get; } = [.. Commands.All.Select(static command => command.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_command_and_each_of_its_options_is_in_its_manual_page_and_in_the_help(string name)
    {
        var command = Commands.All.Single(command => command.Name == name);
        var page = Page(command);

        Assert.Contains(name, Help.Program, StringComparison.Ordinal);
        Assert.All(CompletionWords.Options(command), option => Assert.True(
            page.Any(line => line.Contains($"Fl {(option.Name.Length == 1 ? "" : "-")}{option.Name}", StringComparison.Ordinal)
                && (option.Argument is not { } argument
                    || line.Contains(argument.Split('[', ':')[0], StringComparison.Ordinal)
                    || !line.StartsWith(".It", StringComparison.Ordinal))),
            $"{option.Display} of {name} is missing"));
    }

    [Fact]
    public void No_page_has_an_option_that_its_commands_do_not() => Assert.All(
        Pages.GetFiles("*.1"),
        static file =>
        {
            var known = Commands.All.Where(command => Page(command).SequenceEqual(File.ReadAllLines(file.FullName)))
                .SelectMany(CompletionWords.Options).Select(static option => option.Display).ToHashSet(StringComparer.Ordinal);
            var shown = File.ReadLines(file.FullName).Where(static line => line.StartsWith(".It Fl ", StringComparison.Ordinal))
                .Select(static line => "-" + line.Split(' ')[2]);
            Assert.Empty(shown.Except(known));
        });

    [Theory]
    [InlineData("list")]
    [InlineData("check")]
    [InlineData("show")]
    public void What_a_command_of_host_says_in_JSON_is_in_its_manual_page(string verb)
    {
        // Words are separated by commas, as in ".Li fit" and ".Li bar , kind".
        var words = File.ReadAllText(Path.Combine(Pages.FullName, "hatchway-host.1")).Split([' ', ',', '\n'])
            .ToHashSet(StringComparer.Ordinal);
        string[] address = verb == "show" ? [Json("list", "--all").RootElement[0].GetProperty("address").GetString()!] : [];

        Assert.Subset(words, Keys(Json(verb, address).RootElement).ToHashSet(StringComparer.Ordinal));
    }

    private static JsonDocument Json(string verb, params string[] arguments)
    {
        using var run = new Tests.Program.ProgramRun(["host", verb, "--json", .. arguments]);
        return JsonDocument.Parse(run.Finish().Output);
    }

    private static IEnumerable<string> Keys(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(static part => (string[])[part.Name, .. Keys(part.Value)]),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Keys),
        _ => [],
    };

    [Theory]
    [InlineData("hatchway st", "stats stop")]
    [InlineData("hatchway host re", "release reserve")]
    [InlineData("hatchway host reserve --o", "--own-page")]
    [InlineData("hatchway bar dump --w", "--watch --width")]
    [InlineData("hatchway completion ", "bash fish zsh")]
    [InlineData("hatchway host reserve --user roo", "root")]
    [InlineData("hatchway host list -F /etc/host", "/etc/hostname /etc/hosts")]
    public void Bash_completes(string line, string words)
    {
        var script = Path.GetTempFileName();
        try
        {
            File.WriteAllText(script, BashCompletion.Script + $$"""
                COMP_LINE='{{line}}'
                COMP_POINT=${#COMP_LINE}
                read -ra COMP_WORDS <<< "$COMP_LINE"
                [[ $COMP_LINE != *' ' ]] || COMP_WORDS+=('')
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                compopt() { :; }
                _hatchway
                printf '%s\n' "${COMPREPLY[@]}" | sort
                """);
            using var bash = Process.Start(new ProcessStartInfo("bash", [script])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var completed = bash.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal("", bash.StandardError.ReadToEnd());
            bash.WaitForExit();

            // The host's own files may add words.
            Assert.Superset(words.Split(' ').ToHashSet(), completed.ToHashSet());
            Assert.All(completed, word => Assert.StartsWith(line[(line.LastIndexOf(' ') + 1)..], word, StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(script);
        }
    }

    [Theory]
    [InlineData("zsh")]
    [InlineData("fish")]
    public void Other_shells_find_no_fault_with_theirs(string shell)
    {
        var script = Path.GetTempFileName();
        try
        {
            File.WriteAllText(script, shell == "zsh" ? ZshCompletion.Script : FishCompletion.Script);
            var command = $"command -v {shell} > /dev/null || exit 99; {shell} -n {script}";
            using var check = Process.Start(new ProcessStartInfo("sh", ["-c", command]))!;
            check.WaitForExit();
            Assert.SkipWhen(check.ExitCode == 99, $"{shell} is not installed");
            Assert.Equal(0, check.ExitCode);
        }
        finally
        {
            File.Delete(script);
        }
    }

    [Theory]
    [InlineData("frobnicate", "unknown command 'frobnicate'")]
    [InlineData("host", "list, show, check, reserve, release")]
    [InlineData("host frobnicate", "host: unknown command 'frobnicate'")]
    [InlineData("completion csh", "no 'csh'")]
    [InlineData("stop", "a guest's name")]
    [InlineData("bar dump 0/1/0 0 --watch --interval=-Infinity", "--interval -Infinity")]
    [InlineData("host reserve", "a PCI address is missing")]
    [InlineData("host reserve --from-config --user root", "--user means nothing with --from-config")]
    [InlineData("host reserve --found 0/1/0", "--found means nothing without --from-config")]
    [InlineData("host list -F /dev/null", "-F /dev/null: no function is in it")]
    public void What_is_no_command_is_told_in_one_line(string words, string says)
    {
        using var run = new Tests.Program.ProgramRun(words.Split(' '));
        var (status, _, errors) = run.Finish();

        Assert.Equal(4, status);
        Assert.Contains(says, Assert.Single(errors.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_file_name_is_told_in_one_line()
    {
        using var run = new Tests.Program.ProgramRun("host", "list", "-F", "");
        var (status, _, errors) = run.Finish();

        Assert.Equal(4, status);
        Assert.StartsWith("hatchway: -F", Assert.Single(errors.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    // A page for several commands is named after the first.
    private static string[] Page(Command command) => File.ReadAllLines(Path.Combine(Pages.FullName, command.Group switch
    {
        "run" or "host" => $"hatchway-{command.Group}.1",
        "config" or "bar" => "hatchway-config.1",
        "completion" => "hatchway.1",
        _ => "hatchway-ps.1",
    }));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Hatchway.slnx")))
            folder = folder.Parent!;
        return folder.FullName;
    }
}
