namespace Hatchway.Lab.Tests;

/// <summary>The serial console on a terminal: what is typed reaches the guest, and the terminal is as before when the guest has ended.</summary>
public sealed class ConsoleTests
{
    private const string Prompt = "/ # ";

    [Fact]
    public void What_is_typed_reaches_the_guest_ctrl_a_x_ends_it_and_the_terminal_is_as_before()
    {
        var guest = Guests.Linux(Repository.Kernel, Repository.Initrd, "-c 1 -m 256M");
        // script(1) gives the command a terminal; its settings are compared before and after.
        var commands = $"stty -a > /tmp/before; {guest}; echo STATUS=$?; stty -a | cmp - /tmp/before && echo TERMINAL=same";
        using var terminal = new Conversation(Path.Combine(Repository.Root, "lab/run"), "--", "script", "-qec", commands, "/dev/null");

        terminal.Expect(Prompt, Guests.Bound);
        // Longer than the serial port's FIFO, and typed in one go.
        terminal.Send("echo a line that is longer than sixteen bytes: $((6 * 7))\n");
        terminal.Expect("sixteen bytes: 42", Guests.Bound);
        terminal.Send("\u0001\u0001");
        terminal.Send("\u0001x");

        terminal.Expect("STATUS=1", Guests.Bound);
        terminal.Expect("TERMINAL=same", Guests.Bound);
    }

    [Fact]
    public void SIGTERM_presses_the_power_button()
    {
        var guest = Guests.Linux(Repository.Kernel, Repository.Initrd, "-c 2 -m 256M");
        using var pipe = new Conversation(
            Path.Combine(Repository.Root, "lab/run"), "--", "sh", "-c", $"mkfifo /tmp/keys; {guest} < /tmp/keys & cat > /tmp/keys; kill $!; wait $!; echo STATUS=$?");

        pipe.Expect(Prompt, Guests.Bound);
        // One input event is 24 bytes: the press.
        pipe.Send("modprobe -a button evdev; echo cpus: $(grep -c ^processor /proc/cpuinfo); head -c 24 /dev/input/event0 | wc -c && poweroff -f\n");
        pipe.Expect("cpus: 2", Guests.Bound);
        pipe.CloseInput();

        pipe.Expect("STATUS=1", Guests.Bound);
    }
}
