using System.ComponentModel;
using System.Diagnostics;
using Hatchway.CommandLine;
using Hatchway.Devices;

namespace Hatchway.Tests.Devices;

/// <summary>A disk's content on a loop device of this host's. Nothing is read or written, so there is no RAM.</summary>
public sealed class DiskStorageTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();
    private readonly string _loop;

    public DiskStorageTests()
    {
        File.WriteAllBytes(_file, new byte[1 << 20]);
        _loop = Losetup("--find", "--show", "--sector-size", "4096", _file).Trim();
    }

    public void Dispose()
    {
        if (_loop != "")
            Losetup("--detach", _loop);
        File.Delete(_file);
    }

    [Fact]
    public void Past_the_page_cache_sectors_can_not_be_smaller_than_the_devices()
    {
        Assert.SkipWhen(_loop == "", "no loop device can be had");

        Assert.Equal(
            $"-s 3: past the page cache {_loop} takes blocks of 4096 bytes, and 'sectorsize' is 512: leave ',nocache' away, "
            + "or write ',sectorsize=4096'",
            Assert.Throws<UserException>(() => Open(noCache: true, 512)).Message);

        using (var direct = Open(noCache: true, null))
            Assert.Equal((4096u, 4096u), (direct.LogicalBlock, direct.PhysicalBlock));
        using var cached = Open(noCache: false, 512);
        Assert.Equal((512u, 4096u), (cached.LogicalBlock, cached.PhysicalBlock));
    }

    private DiskStorage Open(bool noCache, uint? logicalBlock) => DiskStorage.Open(
        "-s 3", new VirtioBlockOptions(_loop, false, noCache, false, false, false, logicalBlock, null, null, 1), null!);

    // What it says; nothing when it fails.
    private static string Losetup(params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("losetup", arguments) { RedirectStandardOutput = true })!;
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : "";
        }
        catch (Win32Exception)
        {
            return "";
        }
    }
}
