using Hatchway.Terminal;
using Spectre.Console;
using Table = Hatchway.Terminal.Table;

namespace Hatchway.Tests.Terminal;

/// <summary>A table on terminals of several widths.</summary>
public sealed class TerminalTableTests
{
    private const string Address = "0000:00:01.0";
    private const string Name = "Red Hat, Inc. Virtio 1.0 network device";
    private const string Guest = "no: IOMMU group, driver, file systems";

    [Theory]
    [InlineData(60)]
    [InlineData(80)]
    [InlineData(100)]
    [InlineData(200)]
    public void What_is_to_be_copied_stays_whole_and_no_line_is_longer_than_the_terminal(int width)
    {
        var lines = Draw(width);

        Assert.All(lines, line => Assert.InRange(line.TrimEnd().Length, 0, width));
        Assert.Contains(lines, static line => line.Contains(Address, StringComparison.Ordinal));
    }

    [Fact]
    public void A_wide_terminal_shows_all()
    {
        var row = Assert.Single(Draw(200), static line => line.Contains(Address, StringComparison.Ordinal));

        Assert.Contains(Name, row, StringComparison.Ordinal);
        Assert.Contains("flr bus", row, StringComparison.Ordinal);
        Assert.Contains(Guest, row, StringComparison.Ordinal);
    }

    [Fact]
    public void A_narrow_one_cuts_the_name_wraps_the_end_and_goes_without_what_can_be_spared()
    {
        var lines = Draw(60);

        var row = Assert.Single(lines, static line => line.Contains(Address, StringComparison.Ordinal));
        Assert.Contains("Red Hat, In…", row, StringComparison.Ordinal);
        Assert.DoesNotContain(lines, static line => line.Contains("RESET", StringComparison.Ordinal));
        Assert.Contains(lines, static line => line.TrimEnd().EndsWith("systems", StringComparison.Ordinal));
    }

    private static string[] Draw(int width)
    {
        var table = new Table(["ADDRESS", "NAME", "RESET", "GUEST"], Cut: 1, 2);
        table.Add(Address, Name, "flr bus", Guest);
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            Out = new AnsiConsoleOutput(text),
        });
        console.Profile.Width = width;
        TerminalTable.Write(table, console);
        return text.ToString().Split('\n');
    }
}
