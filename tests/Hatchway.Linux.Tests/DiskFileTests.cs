using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Hatchway.Linux.Tests;

/// <summary>A disk's file, in the test's file system.</summary>
public sealed class DiskFileTests : IDisposable
{
    private const int Length = 1 << 20;

    private readonly string _path = Path.GetTempFileName();
    private readonly byte[] _memory = GC.AllocateArray<byte>(Length, pinned: true);

    public DiskFileTests()
    {
        Random.Shared.NextBytes(_memory);
        File.WriteAllBytes(_path, new byte[Length]);
    }

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Parts_are_written_and_read_as_one()
    {
        using var disk = DiskFile.Open(_path, default);
        Assert.Equal(((ulong)Length, false), (disk.Length, disk.IsBlockDevice));

        // More parts than one system call takes.
        Assert.True(disk.TryWriteAt(4096, Parts(0, 700, 3)));
        Assert.True(disk.TryFlush());
        Assert.Equal(_memory[..2100], File.ReadAllBytes(_path)[4096..(4096 + 2100)]);

        Assert.True(disk.TryReadAt(4096, Parts(Length / 2, 3, 700)));
        Assert.Equal(_memory[..2100], _memory[(Length / 2)..((Length / 2) + 2100)]);
    }

    [Fact]
    public void A_read_beyond_the_end_fails()
    {
        using var disk = DiskFile.Open(_path, new DiskFileOptions(ReadOnly: true, Direct: false, Synchronous: false));

        Assert.False(disk.TryReadAt(Length - 100, Parts(0, 1, 200)));
        Assert.False(disk.TryWriteAt(0, Parts(0, 1, 512)));
    }

    [Theory]
    [InlineData(false, false, false, false, false)]
    [InlineData(true, false, false, false, false)]
    [InlineData(false, false, true, false, false)]
    [InlineData(true, false, true, false, true)]
    [InlineData(false, true, false, true, true)]
    [InlineData(false, true, false, false, false)]
    [InlineData(true, true, false, true, true)]
    public void A_disk_is_taken_by_one_who_writes_it_or_by_many_who_read_it_unless_both_share_it(
        bool firstReads, bool firstShares, bool secondReads, bool secondShares, bool together)
    {
        var first = DiskFile.Open(_path, new DiskFileOptions(firstReads, Direct: false, Synchronous: false));
        Assert.True(first.TryTake(firstShares));
        using var second = DiskFile.Open(_path, new DiskFileOptions(secondReads, Direct: false, Synchronous: false));

        Assert.Equal(together, second.TryTake(secondShares));

        first.Dispose();
        Assert.True(second.TryTake(secondShares));
    }

    [Fact]
    public void A_range_becomes_zeroes_and_nothing_beside_it()
    {
        File.WriteAllBytes(_path, _memory);
        using var disk = DiskFile.Open(_path, default);

        Assert.True(disk.TryZero(65_536, 200_000));

        Array.Clear(_memory, 65_536, 200_000);
        Assert.Equal(_memory, File.ReadAllBytes(_path));
    }

    [Fact]
    public void Past_the_page_cache_data_may_lie_anywhere_in_memory()
    {
        using var disk = OpenDirect(_path);

        CopyUnaligned(disk);
    }

    [Fact]
    public void A_file_system_that_does_not_say_what_it_takes_has_sectors_and_takes_data_from_anywhere_in_memory()
    {
        // In memory: there is no device below.
        var path = $"/dev/shm/hatchway-disk-{Environment.ProcessId}";
        File.WriteAllBytes(path, new byte[Length]);
        try
        {
            using var disk = OpenDirect(path);
            Assert.Equal((false, 512u), (disk.IsBlockDevice, disk.LogicalBlock));

            CopyUnaligned(disk);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Past_the_page_cache_a_disk_of_large_blocks_says_so_and_takes_data_from_anywhere_in_memory()
    {
        var loop = Execute("losetup", "--find", "--show", "--sector-size", "4096", _path);
        Assert.SkipUnless(loop.Status == 0, $"no loop device can be had: {loop.Output}");
        try
        {
            using var disk = OpenDirect(loop.Output);
            Assert.Equal((true, 4096u, 4096u), (disk.IsBlockDevice, disk.LogicalBlock, disk.PhysicalBlock));

            CopyUnaligned(disk);
        }
        finally
        {
            Execute("losetup", "--detach", loop.Output);
        }
    }

    [Fact]
    public void Past_the_page_cache_a_file_has_the_blocks_of_what_it_lies_on()
    {
        var folder = Directory.CreateTempSubdirectory("hatchway-disk-");
        var made = Execute("sh", "-c",
            $"truncate -s 32M {folder}.img && losetup --find --show --sector-size 4096 {folder}.img");
        try
        {
            Assert.SkipUnless(made.Status == 0, $"no loop device can be had: {made.Output}");
            var mounted = Execute("sh", "-c", $"mkfs.ext4 -q {made.Output} && mount {made.Output} {folder}");
            Assert.SkipUnless(mounted.Status == 0, $"no file system can be made: {mounted.Output}");
            var path = Path.Combine(folder.FullName, "disk.img");
            File.Copy(_path, path);

            using (var disk = OpenDirect(path))
            {
                Assert.Equal((false, 4096u), (disk.IsBlockDevice, disk.LogicalBlock));
                CopyUnaligned(disk);
            }
            using var cached = DiskFile.Open(path, default);
            Assert.Equal(512u, cached.LogicalBlock);
            // Where the kernel does not say it of the file, the device's is found by its numbers.
            var numbers = File.ReadAllText($"/sys/class/block/{Path.GetFileName(made.Output)}/dev").Split(':').Select(uint.Parse).ToArray();
            Assert.Equal(4096u, DirectAlignment.BlockBelow(numbers[0], numbers[1]));
        }
        finally
        {
            Execute("sh", "-c", $"umount {folder}; losetup --detach {made.Output}; rm -f {folder}.img");
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Random_bytes_differ()
    {
        var bytes = new byte[64];
        Assert.Equal(32, RandomBytes.Fill(bytes.AsSpan(0, 32)));
        Assert.Equal(32, RandomBytes.Fill(bytes.AsSpan(32)));

        Assert.NotEqual(bytes[..32], bytes[32..]);
    }

    private static DiskFile OpenDirect(string path)
    {
        try
        {
            return DiskFile.Open(path, new DiskFileOptions(ReadOnly: false, Direct: true, Synchronous: false));
        }
        catch (LinuxException failure) when (failure.Errno == Errno.EINVAL)
        {
            Assert.Skip($"the file system of {path} can't go past the page cache");
            throw;
        }
    }

    // 160 KiB, which are more than are copied at a time, in parts of an odd length at odd addresses.
    private void CopyUnaligned(DiskFile disk)
    {
        const int count = 160;
        const int half = Length / 2;
        HostRange[] Cut(int start) => [.. Parts(start + 1, count - 1, 1023), .. Parts(start + 1 + ((count - 1) * 1023), 1, 1183)];

        Assert.True(disk.TryWriteAt(8192, Cut(0)));
        Assert.True(disk.TryFlush());
        Assert.True(disk.TryReadAt(8192, Cut(half)));
        Assert.Equal(_memory[1..(1 + (count * 1024))], _memory[(half + 1)..(half + 1 + (count * 1024))]);
        // What is beside it is as it was.
        Assert.True(disk.TryReadAt(0, Parts(half + 1, 8, 1024)));
        Assert.True(disk.TryReadAt(8192 + (count * 1024), Parts(half + 1 + 8192, 8, 1024)));
        Assert.All(_memory[(half + 1)..(half + 1 + 16384)], static value => Assert.Equal(0, value));
    }

    private static (int Status, string Output) Execute(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var output = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, process.ExitCode == 0 ? output.Result.Trim() : errors.Trim());
        }
        catch (Win32Exception failure)
        {
            return (-1, failure.Message);
        }
    }

    private HostRange[] Parts(int start, int count, int length)
    {
        var parts = new HostRange[count];
        for (var i = 0; i < count; i++)
            parts[i] = new HostRange(Marshal.UnsafeAddrOfPinnedArrayElement(_memory, start + (i * length)), (nuint)length);
        return parts;
    }
}
