using System.Globalization;
using System.Text.Json;

namespace Hatchway.Lab.Tests;

// Tests that list, count, pause, end and restart a running guest.
public sealed partial class LifeTests
{
    private const string Sockets = "/run/hatchway";

    [Fact]
    public void A_guest_is_listed_counted_paused_and_ended_by_its_name()
    {
        var kernel = Save("loop.elf", TinyGuest.ReadingBar0(4, 0, EduIdentification));
        StartGuest($"{Repository.Program} run --verbose -m 64M -s 4:0,passthru,0/9/0,subpage=trap --kernel {kernel} runner");
        Await($"{Edu} has ");

        var guest = Assert.Single(Json("ps --json").EnumerateArray());
        Assert.Equal("runner", guest.GetProperty("name").GetString());
        Assert.Equal("running", guest.GetProperty("state").GetString());
        Assert.Equal(64 << 20, guest.GetProperty("memory").GetInt64());
        Assert.Equal(Edu, Assert.Single(guest.GetProperty("devices").EnumerateArray()).GetString());
        Assert.Matches(@"(?m)^runner +\d+ +running +1 +64 MiB +00:\d\d:\d\d +0000:00:09\.0$", Hatchway("ps"));

        Hatchway("pause runner");
        Assert.Equal("paused", Assert.Single(Json("ps --json").EnumerateArray()).GetProperty("state").GetString());
        var paused = Entries();
        Assert.Equal(paused, Entries());
        Hatchway("resume runner");
        Assert.True(Entries() > 0);
        Assert.True(WaitForEntriesAfter(paused), "the guest did not go on");

        Assert.Contains("vcpus.0.exits ", Hatchway("stats runner"), StringComparison.Ordinal);
        var nobody = _host.Run($"{Repository.Program} pause nobody");
        Assert.Equal(4, nobody.Status);
        Assert.Equal("hatchway: no guest called 'nobody' runs: 'hatchway ps' lists those of this user", nobody.Output.Trim());
        var namesake = _host.Run($"{Repository.Program} run --kernel {kernel} runner");
        Assert.Equal(4, namesake.Status);
        Assert.Contains("a guest called 'runner' is running", namesake.Output, StringComparison.Ordinal);

        Hatchway("kill runner");
        Assert.Equal("[]", Hatchway("ps --json"));
        Assert.Equal("1", _host.Check($"timeout 60 tail --pid=$(cat {GuestProcess}) -f /dev/null; cat {GuestStatus}"));
        Assert.Equal("", _host.Run($"ls {Sockets}/*.sock 2> /dev/null").Output.Trim());
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_guest_whose_program_is_replaced_goes_on_answers_and_tells_its_statistics()
    {
        const string Program = "/tmp/old/hatchway";
        const string Told = "/tmp/old/stats.json";
        var kernel = Save("loop.elf", TinyGuest.ReadingBar0(4, 0, EduIdentification));
        _host.Check($"mkdir /tmp/old && cp {Repository.Program} {Program}");
        StartGuest(
            $"{Program} run -m 64M -s 1:0,lpc -l com1,console -l com2,tcp=127.0.0.1:4002 -s 4:0,passthru,0/9/0 --stats {Told} "
            + $"--kernel {kernel} runner");
        // Its libraries are loaded before its vCPU starts.
        _host.Check("timeout 60 sh -c 'until grep -qs vcpu /proc/$(pidof hatchway)/task/*/comm; do :; done; "
            + $"echo > {Program}.new; mv {Program}.new {Program}'");

        Assert.Equal("running", Assert.Single(Json("ps --json").EnumerateArray()).GetProperty("state").GetString());
        Assert.True(Entries() > 0);
        Hatchway("pause runner");
        Hatchway("resume runner");
        var console = _host.Run($"(sleep 1; printf '\\001x') | script -qec '{Repository.Program} console runner' /dev/null", Guests.Bound);
        Assert.Equal(0, console.Status);
        // The second client is turned away, and the first leaves.
        _host.Check("ip link set lo up; timeout 60 bash -c 'exec 3<> /dev/tcp/127.0.0.1/4002; cat < /dev/tcp/127.0.0.1/4002; exec 3>&-'");
        Hatchway("kill runner");

        Assert.Equal("1", _host.Check($"timeout 60 tail --pid=$(cat {GuestProcess}) -f /dev/null; cat {GuestStatus}"));
        Assert.Contains("\"exits\"", _host.Check($"cat {Told}; rm -r /tmp/old"), StringComparison.Ordinal);
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void The_name_of_a_guest_that_was_killed_is_free_again()
    {
        var kernel = Save("loop.elf", TinyGuest.ReadingBar0(4, 0, EduIdentification));
        var command = $"{Repository.Program} run --verbose -s 4:0,passthru,0/9/0 --kernel {kernel} runner";
        StartGuest(command);
        Await($"{Edu} has ");
        _host.Check($"kill -9 $(pidof hatchway) && timeout 60 tail --pid=$(cat {GuestProcess}) -f /dev/null; ls {Sockets}/runner.sock");
        Assert.Equal("[]", Hatchway("ps --json"));

        StartGuest(command);
        Await($"{Edu} has ");

        Assert.Single(Json("ps --json").EnumerateArray());
        Hatchway("kill runner");
    }

    [Fact]
    public void A_guest_that_does_not_power_off_is_switched_off_after_30_seconds_or_at_a_second_request()
    {
        var kernel = Save("loop.elf", TinyGuest.ReadingBar0(4, 0, EduIdentification));
        var command = $"{Repository.Program} run --verbose -s 4:0,passthru,0/9/0 --kernel {kernel} runner";
        StartGuest(command);
        Await($"{Edu} has ");
        var before = Now();

        Hatchway("stop runner");

        Assert.InRange(Now() - before, 29, 60);
        Assert.Contains("has not powered off within 30 s", _host.Check($"cat {GuestOutput}"), StringComparison.Ordinal);

        StartGuest(command);
        Await($"{Edu} has ");
        before = Now();
        _host.Check("kill $(pidof hatchway); kill $(pidof hatchway)");
        _host.Check($"timeout 60 tail --pid=$(cat {GuestProcess}) -f /dev/null");
        Assert.InRange(Now() - before, 0, 25);
        Assert.Equal("1", _host.Check($"cat {GuestStatus}"));
    }

    [Fact]
    public void A_guest_that_reboots_is_restarted_in_the_same_process_with_its_devices_reset()
    {
        // A disk is not ready after a reset. Edu has no reset, and keeps the value of its liveness register. The NIC can only be reset
        // through D3hot, which QEMU's model ignores; so the test checks that the kernel sends it there.
        const int Liveness = 4;
        const string Kernel = "/tmp/boot/kernel";
        const string Tracing = "/sys/kernel/tracing";
        Assert.Equal("pm", _host.Check($"cat /sys/bus/pci/devices/{Nic}/reset_method"));
        _host.Check(
            $"""
            mount -t tracefs none {Tracing}
            echo 'p:sleep pci_pm_reset asks=%si:u8' > {Tracing}/kprobe_events
            echo 1 > {Tracing}/events/kprobes/sleep/enable
            """);
        var kernel = Save(
            "restart.elf",
            TinyGuest.ReportingAndResetting((4, TinyGuest.NvmeStatus, 0, TinyGuest.NvmeReady), (5, Liveness, 0, [(Liveness, 5)])));
        _host.Check($"mkdir /tmp/boot /tmp/versions && cp {kernel} /tmp/versions/1 && ln -s ../versions/1 {Kernel}");
        StartGuest(
            $"{Repository.Program} run --verbose -o reboot=restart -m 64M -s 1:0,lpc -l com1,stdio "
            + $"-s 4:0,passthru,0/6/0 -s 5:0,passthru,0/9/0 -s 6:0,passthru,0/7/0 --kernel {Kernel} runner");
        for (var turn = 0; turn < 10; turn++)
            AwaitLine("0", "+1");
        // As an upgrade does: a new file is put beside the old one, and the link is moved to it.
        _host.Check($"cp {kernel} /tmp/versions/2 && ln -sfn ../versions/2 {Kernel} && rm /tmp/versions/1");
        AwaitMore("01");

        Hatchway("kill runner");

        var slept = _host.Run($"grep -c asks=0 {Tracing}/trace; echo 0 > {Tracing}/events/kprobes/sleep/enable; umount {Tracing}")
            .Output.Trim();
        var output = _host.Check($"cat {GuestOutput}").Split('\n').Select(static line => line.TrimEnd('\r')).ToArray();
        var reports = output.Where(static line => line.Length == 2).ToArray();
        Assert.True(reports.Length >= 3, string.Join('\n', reports));
        Assert.All(reports, static report => Assert.Equal('0', report[0]));
        Assert.All(reports.Skip(1), static report => Assert.Equal('1', report[1]));
        var resets = output.Count(static line =>
            line.Contains($"{Nic} has been reset (the host's reset methods: pm)", StringComparison.Ordinal));
        Assert.True(resets >= 3);
        Assert.InRange(int.Parse(slept, CultureInfo.InvariantCulture), reports.Length, int.MaxValue);
        Guests.AssertNothingLeft(_host);
    }

    [Fact]
    public void A_device_that_the_host_took_back_is_missing_at_the_next_start_and_there_again_when_it_is_put_back()
    {
        var kernel = Save("restart.elf", TinyGuest.ReportingAndResetting((4, TinyGuest.NvmeStatus, 0, []), (5, 0, EduIdentification, [])));
        StartGuest(
            $"{Repository.Program} run -o reboot=restart -m 64M -s 1:0,lpc -l com1,stdio -s 4:0,passthru,0/6/0 -s 5:0,passthru,0/9/0 "
            + $"--kernel {kernel} runner");
        try
        {
            Await("00");
            WithinTenSeconds($"echo {Edu} > /sys/bus/pci/drivers/vfio-pci/unbind");
            Await("the guest starts again with an empty slot 5:0: ");
            // All ones is not edu's identification.
            AwaitMore("01");
        }
        finally
        {
            _host.Bind(Edu, "vfio-pci");
        }
        AwaitMore("00");
        Hatchway("kill runner");
        Guests.AssertNothingLeft(_host);
    }

    private long Now() => long.Parse(_host.Check("cut -d . -f 1 /proc/uptime"), CultureInfo.InvariantCulture);

    private string Hatchway(string command) => _host.Check($"{Repository.Program} {command}", Guests.Bound);

    private JsonElement Json(string command) => JsonElement.Parse(Hatchway(command));

    private long Entries() => Json("stats runner --json").GetProperty("vcpus")[0].GetProperty("exits").GetInt64();

    // Each iteration takes the lab a good part of a second.
    private bool WaitForEntriesAfter(long before)
    {
        for (var look = 0; look < 100; look++)
        {
            if (Entries() > before)
                return true;
        }
        return false;
    }
}
