namespace Hatchway.Lab.Tests;

/// <summary>Consoles: the serial console on its own terminal and from another one, and a console device's ports on sockets.</summary>
public sealed class ConsoleTests
{
    private const string Prompt = "/ # ";

    private const string PortScript =
        """
        device=/dev/$(basename "$(dirname "$(grep -l '^agent$' /sys/class/virtio-ports/*/name)")")
        dd if=/dev/urandom of=/tmp/data bs=64k count=8 2> /dev/null
        exec 3<> "$device"
        cat /tmp/data >&3
        head -c 524288 <&3 | cmp - /tmp/data && echo "the same came back: $(sha256sum < /tmp/data)"
        echo "say something"
        read -r line
        echo "said: $line"
        read -r line
        echo "said at last: $line"
        """;

    // Lets input pile up until the socket is well filled; then reads all of it, and sends it back.
    private const string Client =
        """
        import array, fcntl, hashlib, socket, sys, termios, time
        port = socket.socket(socket.AF_UNIX)
        port.connect("/tmp/agent.sock")
        waiting = array.array("i", [0])
        while waiting[0] < 65536:
            time.sleep(0.05)
            fcntl.ioctl(port, termios.FIONREAD, waiting)
        data = b""
        while len(data) < 524288:
            data += port.recv(4096)
        print("client had", hashlib.sha256(data).hexdigest(), flush=True)
        port.sendall(data)
        # Until the guest has all of it, or the port's closing would take the rest away.
        sys.stdin.readline()
        """;

    [Fact]
    public void What_is_typed_reaches_the_guest_ctrl_a_x_ends_it_and_the_terminal_is_as_before()
    {
        var guest = Guests.Linux(Repository.Kernel, Repository.Initrd, "-c 1 -m 256M");
        // script(1) gives the command a terminal, whose settings are compared before and after.
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
    public void A_port_carries_all_of_a_file_both_ways_and_com1_is_used_from_another_terminal()
    {
        var folder = Directory.CreateTempSubdirectory("hatchway-console-");
        try
        {
            var initrd = Path.Combine(folder.FullName, "port.cpio");
            Repository.MakeInitrd(PortScript, initrd);
            var client = Path.Combine(folder.FullName, "client.py");
            File.WriteAllText(client, Client);
            var guest = $"{Repository.Program} run -c 1 -m 256M -s 0:0,hostbridge -s 1:0,lpc -l com1,console "
                + "-s 2:0,virtio-console,agent=/tmp/agent.sock "
                + $"--kernel {Repository.Kernel} --initrd {initrd} --cmdline '{Guests.KernelArguments}' linuxguest";
            var commands = $"{guest} & until [ -S /tmp/agent.sock ]; do sleep 0.1; done; python3 {client}; "
                + $"for i in 1 2; do script -qec '{Repository.Program} console linuxguest' /dev/null; echo LEFT=$?; done; "
                + "wait $!; echo STATUS=$?";
            using var host = new Conversation(Path.Combine(Repository.Root, "lab/run"), "--", "sh", "-c", commands);

            host.Expect("client had ", Guests.Bound);
            var digest = host.Expect("\n", Guests.Bound).Trim();
            host.Send("\n");
            host.Expect($"the same came back: {digest}", Guests.Bound);
            host.Expect("say something", Guests.Bound);
            host.Send("a word\n");
            host.Expect("said: a word", Guests.Bound);
            host.Send("\u0001x");
            host.Expect("LEFT=0", Guests.Bound);

            // A client that attaches later gets the output before that.
            host.Expect("said: a word", Guests.Bound);
            host.Send("another\n");
            host.Expect("said at last: another", Guests.Bound);
            host.Expect("STATUS=1", Guests.Bound);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void SIGTERM_presses_the_power_button()
    {
        var guest = Guests.Linux(Repository.Kernel, Repository.Initrd, "-c 2 -m 256M");
        var commands = $"mkfifo /tmp/keys; {guest} < /tmp/keys & cat > /tmp/keys; kill $!; wait $!; echo STATUS=$?";
        using var pipe = new Conversation(Path.Combine(Repository.Root, "lab/run"), "--", "sh", "-c", commands);

        pipe.Expect(Prompt, Guests.Bound);
        // One input event is 24 bytes: the key press.
        pipe.Send("modprobe -a button evdev; echo cpus: $(grep -c ^processor /proc/cpuinfo); "
            + "head -c 24 /dev/input/event0 | wc -c && poweroff -f\n");
        pipe.Expect("cpus: 2", Guests.Bound);
        pipe.CloseInput();

        pipe.Expect("STATUS=1", Guests.Bound);
    }
}
