using System.Text.Json;

namespace Hatchway.Lab.Tests;

/// <summary>Guests with many CPUs, on a host that has one.</summary>
public sealed class CpuTests(HostWithoutDevices plain) : IClassFixture<HostWithoutDevices>
{
    // Sixteen vCPUs take turns on one emulated processor: two minutes on an idle machine.
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(15);

    private const string Script =
        """
        echo "RESULT cpus=$(nproc)"
        echo "RESULT sockets=$(grep '^physical id' /proc/cpuinfo | sort -u | wc -l)"
        echo "RESULT cores=$(grep -m 1 '^cpu cores' /proc/cpuinfo | sed 's/.*: //')"
        echo "RESULT siblings=$(grep -m 1 '^siblings' /proc/cpuinfo | sed 's/.*: //')"
        echo "RESULT x2apic=$(dmesg | grep -o 'x2apic: enabled by BIOS')"
        """;

    private readonly LabHost _host = plain.Host;

    [Fact]
    public void Sixteen_CPUs_start_and_are_arranged_as_asked()
    {
        var initrd = _host.PathOf("cpus.cpio");
        Repository.MakeInitrd(Script, initrd);

        var run = _host.Run(
            Guests.Linux(Repository.Vmlinux, initrd, "-x -c 16,sockets=2,cores=8 -m 512M", "nowatchdog"), s_bound);

        Assert.True(run.Status == 1, run.Output);
        Assert.Equal("16", run.Result("cpus"));
        // No threads: on an AMD processor Linux needs TOPOEXT for them, which the lab's processor lacks.
        Assert.Equal(("2", "8", "8"), (run.Result("sockets"), run.Result("cores"), run.Result("siblings")));
        Assert.Equal("x2apic: enabled by BIOS", run.Result("x2apic"));
    }

    [Theory]
    [InlineData("", 10)]
    [InlineData("-o x86.vmexit_on_hlt=false", 0)]
    public void A_guest_that_halts_leaves_its_CPU_to_others_unless_it_is_to_keep_it(string option, long least)
    {
        var initrd = _host.PathOf("halts.cpio");
        Repository.MakeInitrd("sleep 1; echo RESULT slept=yes", initrd);

        var options = $"-c 1 -m 256M {option} --stats {_host.PathOf("halts.json")}";
        var run = _host.Run(Guests.Linux(Repository.Vmlinux, initrd, options), Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        Assert.Equal("yes", run.Result("slept"));
        using var statistics = JsonDocument.Parse(File.ReadAllText(_host.PathOf("halts.json")));
        var halts = statistics.RootElement.GetProperty("vcpus")[0].GetProperty("halt_exits").GetInt64();
        Assert.InRange(halts, least, least == 0 ? 0 : long.MaxValue);
    }
}
