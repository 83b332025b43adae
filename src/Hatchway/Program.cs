using System.Reflection;
using Hatchway.CommandLine;
using Hatchway.Control;
using Hatchway.Host;
using Hatchway.Linux;
using Hatchway.Logging;
using Hatchway.Passthrough;

namespace Hatchway;

/// <summary>The program: finds the command, runs it, and turns what went wrong into one line and an exit status.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        try
        {
            return (int)Execute(args);
        }
        catch (Exception failure) when (failure is UserException or PassthroughException or LinuxException)
        {
            StandardErrorLogger.Write(failure.Message);
            return (int)ExitStatus.Error;
        }
    }

    private static ExitStatus Execute(ReadOnlySpan<string> args)
    {
        if (Path.GetFileName(InvokedAs) == "bhyve")
            return Run(args);
        switch (args)
        {
            case []:
                throw new UserException("no command: 'hatchway run' starts a guest, 'hatchway --help' tells more");
            case ["--version", ..]:
                return Print($"hatchway {Version}");
            case ["--help" or "-h", ..]:
                return Print(Help.Program);
            case ["run", .. var rest]:
                return Run(rest);
            case ["ps" or "stop" or "kill" or "pause" or "resume" or "console" or "stats", .. var rest]:
                return ControlCommands.Execute(args[0], rest);
            case ["host", .. var rest]:
                return HostCommand.Execute(rest);
            case ["config", .. var rest]:
                return RegisterCommand.Config(rest);
            case ["bar", .. var rest]:
                return RegisterCommand.Bar(rest);
            case ["-s" or "-l", "help", ..]:
                return Run(args);
            default:
                throw new UserException($"unknown command '{args[0]}': 'hatchway --help' lists them");
        }
    }

    // argv[0] as the caller gave it: what .NET tells has symbolic links followed.
    private static string InvokedAs => File.ReadAllText("/proc/self/cmdline").Split('\0')[0];

    private static string Version =>
        typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    private static ExitStatus Run(ReadOnlySpan<string> args)
    {
        var arguments = Getopt.Parse("run", args, Flags.Known);
        foreach (var (option, value) in arguments.Options)
        {
            switch (option.Name, value)
            {
                case ("help" or "h", _):
                    return Print(Help.Run);
                case ("s", "help"):
                    return Print(SlotFlag.Help);
                case ("l", "help"):
                    return Print(LpcFlag.Help);
                default:
                    break;
            }
        }
        var tree = Flags.ToTree(arguments);
        if (!tree.Root.Flag("config.dump", false))
        {
            var options = RunOptions.From(tree);
            return RunCommand.Execute(options with { Notes = [.. Flags.WithoutEffect(arguments), .. options.Notes] });
        }
        Console.Out.Write(tree.Dump());
        // bhyve's status for it (usr.sbin/bhyve/bhyverun.c).
        return ExitStatus.PoweredOff;
    }

    private static ExitStatus Print(string text)
    {
        Console.Out.WriteLine(text);
        return ExitStatus.Rebooted;
    }
}
