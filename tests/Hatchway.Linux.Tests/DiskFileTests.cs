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
    public void Random_bytes_differ()
    {
        var bytes = new byte[64];
        Assert.Equal(32, RandomBytes.Fill(bytes.AsSpan(0, 32)));
        Assert.Equal(32, RandomBytes.Fill(bytes.AsSpan(32)));

        Assert.NotEqual(bytes[..32], bytes[32..]);
    }

    private HostRange[] Parts(int start, int count, int length)
    {
        var parts = new HostRange[count];
        for (var i = 0; i < count; i++)
            parts[i] = new HostRange(Marshal.UnsafeAddrOfPinnedArrayElement(_memory, start + (i * length)), (nuint)length);
        return parts;
    }
}
