using System.Globalization;

namespace Hatchway.Linux.Tests;

public sealed class MemoryTests : IDisposable
{
    private readonly DirectoryInfo _sysfs = Directory.CreateTempSubdirectory("hatchway-sysfs-");

    public void Dispose() => _sysfs.Delete(recursive: true);

    [Fact]
    public void Populating_takes_pages_from_the_host_without_changing_them()
    {
        using var file = MemoryFile.Create("test", 4 << 20);
        using var memory = file.Map();
        memory.Slice(0, 1)[0] = 42;

        memory.Populate(1 << 20, 2 << 20);

        Assert.InRange(ResidentKiB(memory.Address), 2048, 4096);
        memory.Populate(0, 4 << 20);
        Assert.Equal(42, memory.Slice(0, 1)[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Populate(4096, 4 << 20));
    }

    [Fact]
    public void Memory_of_its_own_begins_where_a_huge_page_may_and_is_zero_and_can_be_written_to_its_end()
    {
        const ulong Length = (6 << 20) + 4096;
        using var memory = MemoryMapping.CreatePrivate(Length);

        Assert.Equal(0, memory.Address % (2 << 20));
        Assert.Equal(Length, memory.Length);
        Assert.Equal(0, memory.Slice(Length - 1, 1)[0]);
        memory.Slice(Length - 1, 1)[0] = 42;
        memory.Populate(0, Length);
        Assert.Equal(42, memory.Slice(Length - 1, 1)[0]);
    }

    [Theory]
    [InlineData(0x3000, 4ul << 20, 2 << 20)]
    [InlineData(0x3000, (1ul << 30) + 0x1000, 1 << 30)]
    [InlineData((2 << 20) + 0x1000, 3ul << 30, 1 << 30)]
    public void A_part_of_a_file_with_room_for_large_pages_is_aligned_as_it_is_in_the_file(long offset, ulong length, int page)
    {
        using var file = MemoryFile.Create("test", (ulong)offset + length);
        using var memory = MemoryMapping.Create(file, offset, length, writable: true);

        Assert.Equal(offset % page, memory.Address % page);
        Assert.Equal(length, memory.Length);
        memory.Slice(0, 1)[0] = 42;
        memory.Slice(length - 1, 1)[0] = 43;
        using var all = file.Map();
        Assert.Equal((42, 43), (all.Slice((ulong)offset, 1)[0], all.Slice((ulong)offset + length - 1, 1)[0]));
    }

    [Fact]
    public void Memory_of_a_GiB_and_more_begins_at_a_multiple_of_that()
    {
        using var memory = MemoryMapping.CreatePrivate((1ul << 30) + 4096);

        Assert.Equal(0, memory.Address % (1 << 30));
    }

    [Fact]
    public void A_pool_has_free_pages_that_are_promised_to_nobody()
    {
        var folder = _sysfs.CreateSubdirectory("kernel/mm/hugepages/hugepages-2048kB").FullName;
        foreach (var (name, pages) in new[] { ("nr", 40), ("free", 30), ("resv", 8), ("nr_overcommit", 0), ("surplus", 2) })
            File.WriteAllText(Path.Combine(folder, $"{name}_hugepages"), $"{pages}\n");

        var pool = new HugePagePool(2 << 20, _sysfs.FullName);

        Assert.True(pool.Exists);
        Assert.Equal((40ul, 22ul), (pool.Total, pool.Available));
        Assert.False(new HugePagePool(1 << 30, _sysfs.FullName).Exists);
    }

    [Fact]
    public void Huge_pages_come_from_the_hosts_pool_and_are_refused_beyond_it()
    {
        const ulong Page = 2 << 20;
        var pool = new HugePagePool(Page);
        if (!pool.Exists)
            Assert.Skip("no huge pages of 2 MiB");
        using var file = MemoryFile.Create("test", (pool.Available + 1) * Page, Page);

        Assert.Equal(Errno.ENOMEM, Assert.Throws<LinuxException>(() => file.Map().Dispose()).Errno);
    }

    // One mapping's resident memory: the process's sums, as in /proc/self/status, lag by some pages (proc(5)).
    private static int ResidentKiB(nint address) => int.Parse(
        File.ReadLines("/proc/self/smaps").SkipWhile(line => !line.StartsWith($"{address:x}-", StringComparison.Ordinal))
            .First(static line => line.StartsWith("Rss:", StringComparison.Ordinal))
            .Replace("Rss:", "", StringComparison.Ordinal).Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
}
