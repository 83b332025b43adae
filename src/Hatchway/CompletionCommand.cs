using Hatchway.CommandLine;

namespace Hatchway;

/// <summary><c>hatchway completion</c>: prints the script by which a shell completes commands, options and arguments.</summary>
internal static class CompletionCommand
{
    public const string Details =
        """
        Prints what lets a shell complete Hatchway's commands, options, PCI functions and guests:

          bash   source <(hatchway completion bash)                              in ~/.bashrc
          zsh    hatchway completion zsh > "${fpath[1]}/_hatchway"               once
          fish   hatchway completion fish > ~/.config/fish/completions/hatchway.fish
        """;

    public static ExitStatus Execute(Arguments arguments)
    {
        arguments.NoMoreThan(1);
        Console.Out.Write(arguments.Operand(0, "a shell") switch
        {
            "bash" => BashCompletion.Script,
            "zsh" => ZshCompletion.Script,
            "fish" => FishCompletion.Script,
            var shell => throw new UserException($"completion: no '{shell}': there are bash, zsh and fish"),
        });
        return CommandStatus.Success;
    }
}
