namespace Hatchway.Lab.Tests;

/// <summary>An emulated host with a device of two functions, neither of which has a reset of its own, as a graphics card and its
/// sound.</summary>
public sealed class TwoFunctions : IDisposable
{
    public LabHost Host { get; } = new(
        "-d", "pcie-root-port,id=rp0,chassis=1",
        "-d", "e1000,bus=rp0,addr=0.0,multifunction=on",
        "-d", "e1000,bus=rp0,addr=0.1",
        "--bind", "all");

    public void Dispose() => Host.Dispose();
}

/// <summary>Functions that can only be reset together, and are; and what is told where they can't be.</summary>
public sealed class HotResetTests(TwoFunctions devices) : IClassFixture<TwoFunctions>, IDisposable
{
    private const string First = "0000:01:00.0";
    private const string Second = "0000:01:00.1";

    // Receive descriptors' base of the 82540EM, low half: it keeps what is written, and is zero after a reset (Intel's Software
    // Developer's Manual of the 8254x, 13.4.25).
    private const int Register = 0x2800;
    private const uint Left = 0x1234_5670;
    private const string Output = "/run/guest.out";
    private readonly LabHost _host = devices.Host;

    // A guest of a test that failed would keep the next one's devices.
    public void Dispose() => _host.Run("pid=$(pidof hatchway) && kill -9 $pid && timeout 60 tail --pid=$pid -f /dev/null");

    [Fact]
    public void What_the_host_left_in_a_device_is_gone_when_a_guest_gets_it()
    {
        Dirty();

        var run = RunGuest(First, Second);

        Assert.Contains("00", Lines(run));
        AssertLine(run, $"{First} has been reset (a hot reset of its bus, together with {Second})");
        AssertLine(run, $"{Second} has been reset (a hot reset of its bus, together with {First})");
        // Read from the device as it was left: nothing resets a function of these that is opened alone.
        AssertLine(run, $"the host resets {First}, {Second} as the guest lets the last of its functions there go");
        Assert.Equal("0x00000000", Hatchway($"bar read {First} 0 {Register:x}"));
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_guest_that_reboots_gets_both_functions_as_after_a_reset_each_time()
    {
        var command = Command("-o reboot=restart", First, Second);
        var run = _host.Run(
            $"""
            {command} > {Output} 2>&1 &
            {Await($"[ $(grep -c '^[01][01]' {Output}) -ge 3 ]")}
            {Repository.Program} kill twofunctions
            wait
            cat {Output}
            """,
            Guests.Bound);

        var lines = Lines(run).ToList();

        Assert.All(lines.Where(static line => line.Length == 2), static line => Assert.Equal("00", line));
        Assert.True(lines.Count(static line => line.Contains($"{First} has been reset", StringComparison.Ordinal)) >= 3);
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_function_whose_neighbour_is_not_reserved_is_not_reset_and_the_user_is_told_what_to_do()
    {
        const string Obstacle = $"{First} can only be reset with the whole bus, but {Second} is bound to no driver: ";
        const string Remedy = $"'hatchway host reserve {Second}'";
        Assert.Equal("bus", _host.Check($"cat /sys/bus/pci/devices/{First}/reset_method"));
        _host.Check($"echo {Second} > /sys/bus/pci/drivers/vfio-pci/unbind");
        try
        {
            Assert.Matches($"(?m)^note +reset +only with its bus, which needs {Second} ", Check());

            RunGuest(First);
            var run = RunGuest(First);

            Assert.Contains("1", Lines(run));
            AssertLine(run, $"{Obstacle}the guest finds them as they were left: {Remedy}");
            AssertLine(run, $"{Obstacle}their next user finds them as this guest left them: {Remedy}");
        }
        finally
        {
            _host.Bind(Second, "vfio-pci");
        }
        Assert.Matches($"(?m)^ok +reset +with its bus, together with {Second} ", Check());

        // It need not have the other: its group is enough.
        var clean = RunGuest(First);

        Assert.Contains("0", Lines(clean));
        AssertLine(clean, $"{First} has been reset (a hot reset of its bus, together with {Second})");
    }

    [Fact]
    public void A_function_that_the_host_takes_back_leaves_the_guest_unreset_and_holds_nobody_up()
    {
        const string Unreset = $"{First} is not reset, since it has no reset of its own";
        File.WriteAllBytes(_host.PathOf("loop.elf"), TinyGuest.ReadingBar0(5, 0, 0, Register));
        try
        {
            var run = _host.Run(
                $"""
                {Repository.Program} run --verbose -s 4:0,passthru,1/0/0 -s 5:0,passthru,1/0/1 \
                    --kernel {_host.PathOf("loop.elf")} twofunctions > {Output} 2>&1 &
                {Await($"grep -q '{Second} has been reset' {Output}")}
                timeout 10 sh -c 'echo {First} > /sys/bus/pci/drivers/vfio-pci/unbind' || echo HELD
                {Await($"grep -q '{Unreset}' {Output}")}
                {Repository.Program} kill twofunctions
                wait
                cat {Output}
                """,
                Guests.Bound);

            Assert.DoesNotContain("HELD", run.Output, StringComparison.Ordinal);
            AssertLine(run, $"{Second} can only be reset with the whole bus, but {First} is bound to no driver: their next user finds");
        }
        finally
        {
            _host.Bind(First, "vfio-pci");
        }
        Guests.AssertNothingLeft(_host);
    }

    private static string Await(string condition) => $"for i in $(seq 300); do {condition} && break; sleep 0.2; done";

    // As a driver of the host's leaves it: written while nobody has it, and then bound.
    private void Dirty()
    {
        foreach (var address in (string[])[First, Second])
        {
            _host.Check($"echo {address} > /sys/bus/pci/drivers/vfio-pci/unbind; echo 1 > /sys/bus/pci/devices/{address}/enable");
            Hatchway($"bar write {address} 0 {Register:x} {Left:x}");
            Assert.Equal($"0x{Left:x}", Hatchway($"bar read {address} 0 {Register:x}"));
            _host.Check($"echo 0 > /sys/bus/pci/devices/{address}/enable");
        }
        _host.Bind(First, "vfio-pci");
        _host.Bind(Second, "vfio-pci");
    }

    // Each function's register, '0' when it has its first value, on a line; then writes it and resets the machine.
    private CommandResult RunGuest(params string[] functions)
    {
        var run = _host.Run(Command("", functions), Guests.Bound);
        Assert.True(run.Status == 0, run.Output);
        return run;
    }

    private string Command(string options, params string[] functions)
    {
        var kernel = _host.PathOf($"report{functions.Length}.elf");
        File.WriteAllBytes(
            kernel,
            TinyGuest.ReportingAndResetting([.. functions.Select(static (_, i) => (4 + i, Register, 0u, new[] { (Register, Left) }))]));
        var slots = string.Join(' ', functions.Select(static (address, i) => $"-s {4 + i}:0,passthru,{address}"));
        return $"{Repository.Program} run --verbose {options} -m 64M -s 1:0,lpc -l com1,stdio {slots} --kernel {kernel} twofunctions";
    }

    private string Check() => _host.Run($"{Repository.Program} host check {First}").Output;

    private string Hatchway(string command) => _host.Check($"{Repository.Program} {command}");

    private static IEnumerable<string> Lines(CommandResult run) => run.Output.Split('\n').Select(static line => line.TrimEnd('\r'));

    private static void AssertLine(CommandResult run, string text) =>
        Assert.Contains(Lines(run), line => line.Contains(text, StringComparison.Ordinal));
}
