using System.Globalization;
using System.Security.Cryptography;

namespace Hatchway.Lab.Tests;

/// <summary>A host with an NVMe disk, a network card and two SD controllers, the first with a card.</summary>
public sealed class HardCaseHost : IDisposable
{
    public LabHost Host { get; } = new(
        "-d", "nvme", "-d", "rtl8139", "-d", "sdhci-pci,id=sd0", "-d", "sd-card,size=4M,seed=5", "-d", "sdhci-pci,id=sd1",
        "--bind", "06,07");

    public void Dispose() => Host.Dispose();
}

/// <summary>What a guest may do to a device, and what it must not reach.</summary>
public sealed class HardCaseTests(HardCaseHost hard) : IClassFixture<HardCaseHost>
{
    private const string Sharing = "0000:00:08.0";
    private const string Neighbour = "0000:00:09.0";
    private readonly LabHost _host = hard.Host;

    [Fact]
    public void A_bar_that_shares_its_page_with_another_device_works_and_shows_nothing_of_the_neighbour()
    {
        const string Argument = "0x8 4";
        PutIntoOnePage();
        _host.Bind(Sharing, "vfio-pci");
        _host.Check($"echo 1 > /sys/bus/pci/devices/{Neighbour}/enable");
        Register(Neighbour, $"{Argument} 1 0x12345678");
        var before = Neighbours();
        Assert.Contains("value=0x12345678", before, StringComparison.Ordinal);

        File.WriteAllBytes(_host.PathOf("beyond.elf"), TinyGuest.ReachingBeyondBar0(4, 256));
        var beyond = _host.Run(
            $"{Repository.Program} run --stats {_host.PathOf("beyond.json")} -s 0:0,hostbridge -s 4:0,passthru,{Sharing} "
            + $"--kernel {_host.PathOf("beyond.elf")} tiny",
            Guests.Bound);

        Assert.True(beyond.Status == 1, beyond.Output);
        // JSON's encoding of 0+100.
        Assert.Contains(@"0\u002B100 Trapped", File.ReadAllText(_host.PathOf("beyond.json")), StringComparison.Ordinal);
        Assert.Equal(before, Neighbours());
        var run = RunMatrixScript($"-s 4:0,passthru,{Sharing}", "disks=1");
        Assert.Equal(Digest(Repository.DiskOf("4M", 5)), run.Result("disk.04.0"));
        Assert.Equal("same", run.Result("written.04.0"));
        Assert.Equal(before, Neighbours());
    }

    [Theory]
    [InlineData("0/6/0", 1u)]
    [InlineData("0/7/0", 2u)]
    public void Random_writes_all_over_config_space_harm_neither_the_monitor_nor_the_device(string device, uint seed)
    {
        const uint Writes = 10_000;
        File.WriteAllBytes(_host.PathOf("random.elf"), TinyGuest.WritingConfigAtRandom(4, Writes, seed));
        var random = _host.Run(
            $"{Repository.Program} run -s 0:0,hostbridge -s 4:0,passthru,{device} --kernel {_host.PathOf("random.elf")} tiny",
            Guests.Bound);

        Assert.True(random.Status == 0, random.Output);
        var run = RunMatrixScript($"-s 4:0,passthru,{device}", device == "0/6/0" ? "disks=1" : "disks=0 net.04.0=10.0.17");
        if (device == "0/6/0")
            Assert.Equal(Digest(Repository.Disk), run.Result("disk.04.0"));
        else
            Assert.Equal("3/3", run.Result("ping.04.0"));
    }

    [Fact]
    public void A_cpu_may_read_a_bar_while_another_turns_decoding_or_power_off()
    {
        var initrd = _host.PathOf("decoding.cpio");
        Repository.MakeInitrd(File.ReadAllText(Path.Combine(Repository.Root, "lab/scripts/decoding-off.sh")), initrd);

        var run = _host.Run(Guests.Linux(Repository.Kernel, initrd, "-c 2 -m 384M -s 4:0,passthru,0/6/0", "iomem=relaxed"), Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        Assert.Equal("value=0xffffffffffffffff", run.Result("off"));
        foreach (var name in new[] { "decoding", "power" })
        {
            Assert.Equal(run.Result("before"), run.Result($"{name}.after"));
            // On a busy machine one round takes seconds.
            Assert.True(int.Parse(run.Result($"{name}.switched")!, CultureInfo.InvariantCulture) > 2, run.Output);
            Assert.True(int.Parse(run.Result($"{name}.rounds")!, CultureInfo.InvariantCulture) > 0, run.Output);
        }
        Assert.Equal(Digest(Repository.Disk), run.Result("nvme.sha256"));
    }

    // The lab's firmware gives every BAR a page of its own; the kernel packs BARs that it finds without an address.
    private void PutIntoOnePage()
    {
        _host.Check(
            $"""
            for device in {Sharing} {Neighbour}; do
                echo 1 > /sys/bus/pci/devices/$device/remove
                setpci -A intel-conf1 -s $device 10.l=0 04.w=0
            done
            echo 1 > /sys/bus/pci/rescan
            """);
        Assert.Equal(Page(Sharing), Page(Neighbour));
    }

    private string Page(string device) => _host.Check($"head -n 1 /sys/bus/pci/devices/{device}/resource").Split(' ')[0][..^3];

    private string Register(string device, string access) => _host.Check($"{Repository.RegisterProgram} {device} 0 {access}").Split(' ')[0];

    // SDMA address, block, argument, transfer mode, responses, state, control and interrupt enables (SD Host Controller 3.0, 2.1).
    private string Neighbours() => string.Join(
        ' ',
        new[] { "0x0", "0x4", "0x8", "0xc", "0x10", "0x24", "0x28", "0x34", "0x38" }.Select(offset => Register(Neighbour, $"{offset} 4")));

    private CommandResult RunMatrixScript(string options, string arguments)
    {
        var initrd = _host.PathOf("hard.cpio");
        Repository.MakeInitrd(File.ReadAllText(Path.Combine(Repository.Root, "lab/scripts/device-matrix.sh")), initrd);
        var run = _host.Run(
            Guests.Linux(Repository.Kernel, initrd, $"-c 1 -m 384M {options}", $"nvme_core.multipath=N {arguments}"), Guests.Bound);
        Assert.True(run.Status == 1, run.Output);
        return run;
    }

    private static string Digest(string file) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));
}
