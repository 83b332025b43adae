namespace Hatchway.Lab.Tests;

/// <summary>The PC's clock as Linux's driver for it sees it.</summary>
public sealed class ClockTests(HostWithoutDevices plain) : IClassFixture<HostWithoutDevices>
{
    private readonly LabHost _host = plain.Host;

    // hwclock waits for a tick by the same means: Linux makes it an alarm at the next second.
    [Fact]
    public void An_alarm_interrupts_the_guest_at_its_time()
    {
        var initrd = _host.PathOf("clock.cpio");
        Repository.MakeInitrd(
            """
            cd /sys/class/rtc/rtc0
            count() { sed -n 's/^ *8: *\([0-9]*\) .*edge *rtc0$/\1/p' /proc/interrupts; }
            echo "RESULT clock=$(cat name)"
            echo "RESULT before=$(count)"
            begin=$(cat since_epoch)
            echo +3 > wakealarm
            i=0
            while [ "$(count)" = 0 ] && [ $i -lt 300 ]; do
                i=$((i + 1))
                usleep 100000
            done
            echo "RESULT after=$(count)"
            echo "RESULT seconds=$(($(cat since_epoch) - begin))"
            echo "RESULT left=$(cat wakealarm)"
            """,
            initrd);

        var run = _host.Run(Guests.Linux(Repository.Vmlinux, initrd, "-c 1 -m 256M -u"), Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        Assert.StartsWith("rtc_cmos", run.Result("clock"), StringComparison.Ordinal);
        Assert.Equal(("0", "1", ""), (run.Result("before"), run.Result("after"), run.Result("left")));
        // It waits longer where much else runs, and never shorter.
        Assert.InRange(int.Parse(run.Result("seconds")!, System.Globalization.CultureInfo.InvariantCulture), 3, 25);
    }
}
