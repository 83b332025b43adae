using System.Text.RegularExpressions;
using Hatchway.CommandLine;
using Hatchway.Configuration;

namespace Hatchway.Tests.CommandLine;

/// <summary>docs/bhyve.md is complete.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(FindRoot(), "docs/bhyve.md"));

    [Fact]
    public void Every_option_has_its_place() => Assert.All(
        Flags.Known, static option => Assert.Contains($"`{option.Display}", Page, StringComparison.Ordinal));

    [Fact]
    public void Every_variable_has_its_place()
    {
        // A row may give the first name in full, and the others from the dot on.
        var words = Quoted().Matches(Page).Select(static match => match.Groups[1].Value.Split('=')[0]).ToHashSet(StringComparer.Ordinal);
        Assert.All(KnownVariables.Names, name =>
        {
            var shown = name.Replace("*", "N", StringComparison.Ordinal);
            Assert.True(
                words.Contains(shown)
                || words.Contains(shown[shown.LastIndexOf('.')..])
                || shown.StartsWith("lpc.com", StringComparison.Ordinal),
                $"{shown} is missing in docs/bhyve.md");
        });
    }

    [Fact]
    public void Every_device_has_its_place_and_its_status() => Assert.All(Emulation.All, static emulation =>
    {
        var row = Page.Split('\n').Single(line =>
            line.StartsWith('|') && line.Split('|')[1].Contains($"`{emulation.Name}`", StringComparison.Ordinal));
        Assert.Equal(emulation.Instead is null ? "done" : "refused", row.Split('|')[3].Trim());
    });

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Hatchway.slnx")))
            folder = folder.Parent!;
        return folder.FullName;
    }

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Quoted();
}
