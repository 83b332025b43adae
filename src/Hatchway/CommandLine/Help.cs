using System.Text;

namespace Hatchway.CommandLine;

/// <summary>The texts that <c>--help</c> prints.</summary>
internal static class Help
{
    /// <summary>Help for the program: all commands.</summary>
    public static string Program =>
        $"""
        Hatchway runs a guest on KVM with PCI devices of this host.

        {Commands.Lines(Commands.All).TrimEnd('\n')}

        hatchway COMMAND --help tells more of each; hatchway -s help lists devices for a slot, -l help those behind the lpc bridge.
        hatchway --version tells the version. BDF is an address as 0000:00:06.0, 00:06.0 or 0/6/0.
        """;

    private const string RunHead =
        """
        usage: hatchway run [options] NAME

        Starts a guest called NAME and stays until it ends. Options are those of bhyve(8), and long ones for what has none there.

        """;

    private const string RunTail =
        """

        A guest with a disk of the host:
          hatchway run -c 1 -m 256M -s 0:0,hostbridge -s 1:0,lpc -l com1,stdio -s 4:0,passthru,0/6/0 \
                   --kernel vmlinuz --initrd initrd.img --cmdline console=ttyS0 linuxguest

        The same disk with a system on it, which the installed firmware (OVMF) starts:
          hatchway run -c 1 -m 1G -s 0:0,hostbridge -s 1:0,lpc -l com1,stdio -s 4:0,passthru,0/6/0 guest

        Exit status: 0 the guest rebooted, 1 it powered off or was ended, 3 triple fault, 4 an error; 1 after config.dump.
        Ctrl-A x on the console ends the guest at once. SIGTERM presses the guest's power button; a second one ends it.
        """;

    /// <summary>Help for <c>run</c>, with the options that it knows.</summary>
    public static string Run
    {
        get
        {
            var text = new StringBuilder(RunHead).AppendLine();
            foreach (var option in Flags.Known)
                text.Append("  ").Append($"{option.Display} {option.Argument}".PadRight(18)).AppendLine(option.Help);
            return text.Append(RunTail).ToString();
        }
    }
}
