namespace Hatchway.Lab.Tests;

/// <summary>What an intruder in the guest's process could do; a handler plays the intruder.</summary>
public sealed class SandboxTests(EduDevice edu) : IClassFixture<EduDevice>
{
    private const string User = "nobody";
    private static readonly string Escaping = Repository.Library("tests/Fixtures/EscapingHandlers");
    private readonly LabHost _host = edu.Host;

    [Fact]
    public void An_intruder_reaches_nothing_outside_the_guests_process()
    {
        var kernel = Kernel();
        var sandboxed = Attempts(_host.Run($"{Run(kernel)} tiny", Guests.Bound));
        Assert.All(sandboxed, static attempt => Assert.StartsWith("could not ", attempt, StringComparison.Ordinal));
        Assert.Equal(13, sandboxed.Count);

        // Without the sandbox the attempts succeed, so it is the sandbox that stops them.
        var open = Attempts(_host.Run($"{Run(kernel)} --no-sandbox tiny", Guests.Bound));
        ReadOnlySpan<string> attempts =
        [
            "read a file", "write a file", "list a folder", "run a program", "open a connection", "make a namespace",
            "write kernel settings",
        ];
        foreach (var attempt in attempts)
            Assert.Contains($"could {attempt}", open);
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_user_without_capabilities_runs_a_guest_with_the_device_that_is_theirs()
    {
        // The working tree may be in a folder that this user can't read.
        _host.Check(
            $"""
            chown {User} /dev/vfio/$(basename $(readlink /sys/bus/pci/devices/0000:00:06.0/iommu_group))
            chmod 666 /dev/kvm
            mkdir -p /run/mine/runtime && cp {Repository.Program} {Escaping} {Kernel()} /run/mine && chown -R {User} /run/mine
            """);

        var run = _host.Run(
            $"""
            ulimit -l $((128 << 10))
            cd /run/mine && XDG_RUNTIME_DIR=/run/mine/runtime setpriv --reuid {User} --clear-groups --inh-caps=-all --bounding-set=-all \
                ./hatchway run -m 64M -s 4:0,passthru,0/6/0,handler=EscapingHandlers.dll --kernel escape.elf tiny
            """,
            Guests.Bound);

        var attempts = Attempts(run);
        Assert.All(attempts, static attempt => Assert.StartsWith("could not ", attempt, StringComparison.Ordinal));
        Guests.AssertNothingLeft(_host);
        _host.Check("rm -r /run/mine");
    }

    private static string Run(string kernel) => $"{Repository.Program} run -s 4:0,passthru,0/6/0,handler={Escaping} --kernel {kernel}";

    private string Kernel()
    {
        var path = _host.PathOf("escape.elf");
        File.WriteAllBytes(path, TinyGuest.ReadingBar0(4, 1, 0, offset: 0x2000));
        return path;
    }

    // The handler's log lines, of a guest that ran to its end and powered off.
    private static List<string> Attempts(CommandResult run)
    {
        Assert.True(run.Status == 1, run.Output);
        var lines = run.Output.Split('\n').Where(static line => line.StartsWith("hatchway: 0000:00:06.0: ", StringComparison.Ordinal))
            .Select(static line => line["hatchway: 0000:00:06.0: ".Length..]).ToList();
        Assert.Equal("tried all", lines[^1]);
        lines.RemoveAt(lines.Count - 1);
        return lines;
    }
}
