using Hatchway.CommandLine;
using Hatchway.Passthrough.Host;

namespace Hatchway.Host;

/// <summary><c>hatchway host</c>: what can be known of a host's devices, and what takes them from it.</summary>
internal static class HostCommand
{
    public static readonly Option Json = new("json", null, "for programs: JSON");
    public static readonly Option File = new("F", "FILE", "look at what 'lspci -xxxx' printed, instead of at this host");

    private const string HelpText =
        """
        usage: hatchway host list [options]          PCI functions, and whether they can be given to a guest
               hatchway host show [options] BDF      everything about one
               hatchway host check [options] [BDF]   why it can't be given to a guest, and what to do
               hatchway host reserve [options] BDF...  take it from the host's driver, for guests
               hatchway host release [options] BDF...  give it back
        """;

    public static ExitStatus Execute(ReadOnlySpan<string> words)
    {
        switch (words)
        {
            case ["list", .. var rest]:
                return ListCommand.Execute(rest);
            case ["show", .. var rest]:
                return ShowCommand.Execute(rest);
            case ["check", .. var rest]:
                return CheckCommand.Execute(rest);
            case ["reserve", .. var rest]:
                return ReserveCommand.Execute(rest);
            case ["release", .. var rest]:
                return ReleaseCommand.Execute(rest);
            case ["--help", ..]:
                Console.Out.WriteLine(HelpText);
                return ExitStatus.Rebooted;
            case []:
                throw new UserException("host: a command is wanted: 'hatchway host --help' tells more");
            default:
                throw new UserException($"host: unknown command '{words[0]}': 'hatchway host --help' lists them");
        }
    }

    /// <summary>Reads a dump; what is broken in it is told on standard error.</summary>
    public static LspciDump ReadDump(string path)
    {
        string text;
        try
        {
            text = path == "-" ? Console.In.ReadToEnd() : System.IO.File.ReadAllText(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"-F {path}: can't be read: {failure.Message}");
        }
        var dump = LspciDump.Parse(text);
        foreach (var warning in dump.Warnings)
            Logging.StandardErrorLogger.Write($"{path}: {warning}");
        return dump;
    }
}
