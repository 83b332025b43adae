using System.Globalization;

namespace Hatchway.Lab.Tests;

/// <summary>An emulated host that gives away QEMU's edu device.</summary>
public sealed class EduDevice : IDisposable
{
    public LabHost Host { get; } = new("-d", "edu", "--bind", "all");

    public void Dispose() => Host.Dispose();
}

/// <summary>Register handlers, on a device that is passed through.</summary>
public sealed class HandlerTests(EduDevice edu) : IClassFixture<EduDevice>
{
    private const string Device = "-s 4:0,passthru,0/6/0";
    private static readonly string Sample = Repository.Library("samples/Edu");
    private static readonly string Broken = Repository.Library("tests/Fixtures/BrokenHandlers");
    private readonly LabHost _host = edu.Host;

    [Fact]
    public void A_guest_sees_what_handlers_answer_and_outlives_those_that_throw_or_take_long()
    {
        var initrd = _host.PathOf("handlers.cpio");
        Repository.MakeInitrd(
            """
            for i in $(seq 100); do
                [ -e /dev/uio0 ] && break
                usleep 100000
            done
            edu-test 1 | while read -r line; do
                echo "RESULT edu.$line"
            done
            device=0000:00:04.0
            echo "RESULT thrower=$(regread $device 0 0x2000 4)"
            regread $device 0 0x2000 4 1000 1 > /dev/null && echo "RESULT thrower.written=yes"
            # While the second CPU is in the handler the first one counts, and starts no process: that would wait for the second.
            taskset -p 1 $$ > /dev/null
            taskset 2 regread $device 0 0x3000 4 > /read &
            turns=0
            until [ -s /read ]; do
                turns=$((turns + 1))
            done
            echo "RESULT turns=$turns"
            poweroff -f
            """,
            initrd);

        var run = _host.Run(
            Guests.Linux(
                Repository.Kernel, initrd, $"-c 2 -m 256M {Device},handler={Sample},handler={Broken}", "iomem=relaxed"),
            Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        Assert.Equal("3628801 FAILED", run.Result("edu.factorial"));
        Assert.Equal("1000", run.Result("edu.dma"));
        Assert.Contains("hatchway: 0000:00:06.0: DMA, memory to device: ", run.Output, StringComparison.Ordinal);
        Assert.Contains("h to 40000h, 1000 bytes", run.Output, StringComparison.Ordinal);
        Assert.Contains("hatchway: 0000:00:06.0: DMA, device to memory: 40000h to ", run.Output, StringComparison.Ordinal);
        Assert.StartsWith("value=0xffffffff ", run.Result("thrower"), StringComparison.Ordinal);
        Assert.Equal("yes", run.Result("thrower.written"));
        Assert.True(int.Parse(run.Result("turns")!, CultureInfo.InvariantCulture) > 1000, run.Output);
        var thrown = run.Output.Split('\n').Where(static line => line.Contains("'thrower' (BAR0 2000h) threw", StringComparison.Ordinal));
        // A thousand failures give one warning, or a few when they take long.
        Assert.InRange(thrown.Count(), 1, 10);
        Assert.Contains(
            "warning: 0000:00:06.0: the handler 'thrower' (BAR0 2000h) threw InvalidOperationException: out of order; "
            + "the guest reads all ones",
            run.Output, StringComparison.Ordinal);
        Assert.Contains(
            "warning: 0000:00:06.0: the handler 'sleeper' (BAR0 3000h) has kept a CPU of the guest for more than 1 s; the others go on",
            run.Output, StringComparison.Ordinal);
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_guest_of_which_a_handler_keeps_the_CPU_can_still_be_ended()
    {
        File.WriteAllBytes(_host.PathOf("hanging.elf"), TinyGuest.ReadingBar0(4, 1, 0, offset: 0x4000));

        var options = $"-s 0:0,hostbridge {Device},handler={Broken} --kernel {_host.PathOf("hanging.elf")}";
        var run = _host.Run(
            $$"""
            rm -f pipe && mkfifo pipe
            {{Repository.Program}} run {{options}} tiny > pipe 2>&1 &
            while read -r line; do
                case $line in *"'hanger' (BAR0 4000h) has kept a CPU of the guest"*) kill -HUP $! ;; esac
            done < pipe
            wait $!
            """,
            Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_mirror_shows_config_space_and_takes_writes_to_it()
    {
        File.WriteAllBytes(_host.PathOf("mirror.elf"), TinyGuest.ComparingMirror(4, 0x1000));

        var run = Run("mirror.elf", ",mirror=0:0x1000:0x100");

        // When a byte differs the guest resets, which gives status 0.
        Assert.True(run.Status == 1, run.Output);
    }

    [Fact]
    public void Without_the_mirror_the_same_guest_sees_a_difference()
    {
        File.WriteAllBytes(_host.PathOf("mirror.elf"), TinyGuest.ComparingMirror(4, 0x1000));

        Assert.Equal(0, Run("mirror.elf", "").Status);
    }

    [Theory]
    [InlineData(",mirror=0:0xffff80:0x100", "config mirror: 100h bytes at ffff80h do not lie in BAR0, which has 100000h")]
    [InlineData(",mirror=2:0:0x100", "config mirror: the device has no BAR2; it has BAR0")]
    [InlineData(",mirror=0:0:0x100,mirror=0:0x80:0x100", "config mirror (BAR0 80h to 17fh) overlaps config mirror (0h to ffh)")]
    public void A_mirror_that_can_not_be_is_one_line_and_status_4(string options, string reason)
    {
        File.WriteAllBytes(_host.PathOf("off.elf"), TinyGuest.PoweringOff());

        var run = Run("off.elf", options);

        Assert.Equal(4, run.Status);
        Assert.Equal($"hatchway: -s 4:0,passthru: 0000:00:06.0: {reason}", run.Output.Trim());
    }

    [Fact]
    public void Handlers_that_overlap_are_one_line_and_status_4()
    {
        File.WriteAllBytes(_host.PathOf("off.elf"), TinyGuest.PoweringOff());

        var run = Run("off.elf", $",mirror=0:0:0x80,handler={Sample}");

        Assert.Equal(4, run.Status);
        Assert.Equal($"hatchway: handler={Sample}: 'factorial' (BAR0 8h to bh) overlaps config mirror (0h to 7fh)", run.Output.Trim());
    }

    private CommandResult Run(string kernel, string options) => _host.Run(
        $"{Repository.Program} run -s 0:0,hostbridge {Device}{options} --kernel {_host.PathOf(kernel)} tiny", Guests.Bound);
}
