using System.Reflection;
using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Logging;
using Hatchway.Passthrough;

namespace Hatchway;

/// <summary>The program: finds and executes the command, and turns a failure into one line and an exit status.</summary>
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
            return RunCommand.Execute(args);
        switch (args)
        {
            case []:
                throw new UserException("no command: 'hatchway run' starts a guest, 'hatchway --help' tells more");
            case ["--version", ..]:
                return Print($"hatchway {Version}");
            case ["--help" or "-h" or "help", ..]:
                return Print(Help.Program);
            case ["-s" or "-l", "help", ..]:
                return RunCommand.Execute(args);
            case [['-', ..] option, ..]:
                throw new UserException(
                    $"'{option}' is no command: bhyve's options follow one, 'hatchway run {option} ...'; 'hatchway --help' tells more");
            default:
                return Commands.Execute(args);
        }
    }

    // argv[0] as the caller gave it; .NET gives it with symbolic links resolved.
    private static string InvokedAs => KernelFile.Read("/proc/self/cmdline").Split('\0')[0];

    private static string Version =>
        typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    private static ExitStatus Print(string text)
    {
        Console.Out.WriteLine(text);
        return CommandStatus.Success;
    }
}
