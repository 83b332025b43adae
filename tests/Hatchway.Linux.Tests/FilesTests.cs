using System.IO.Pipes;

namespace Hatchway.Linux.Tests;

public sealed class FilesTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-sysfs-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void An_eventfd_counts_until_it_is_taken()
    {
        using var eventFd = EventFd.Create();
        Assert.False(eventFd.IsSignalled);
        Assert.Equal(0ul, eventFd.Take());

        eventFd.Signal();
        eventFd.Signal();

        Assert.True(eventFd.IsSignalled);
        Assert.Equal(2ul, eventFd.Take());
        Assert.False(eventFd.Wait(TimeSpan.Zero));
    }

    [Fact]
    public void A_register_that_the_kernel_does_not_give_is_told_with_its_reason()
    {
        // Nothing is mapped at address 0.
        using var registers = RegisterFile.Open("/proc/self/mem");

        Assert.Equal(Errno.EIO, Assert.Throws<LinuxException>(() => registers.TryRead(0, 4, out _)).Errno);
        Assert.Equal(Errno.EIO, Assert.Throws<LinuxException>(() => registers.TryWrite(0, 4, 0)).Errno);
    }

    [Fact]
    public void A_pipe_whose_reader_is_gone_is_broken()
    {
        using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        using var writer = FileDescriptor.Borrow(pipe.SafePipeHandle);
        Assert.False(writer.IsBroken);

        pipe.ClientSafePipeHandle.Dispose();

        Assert.True(writer.IsBroken);
        Assert.False(writer.TryWrite("x"u8));
    }

    [Fact]
    public void A_word_for_the_kernel_is_one_line_and_what_is_not_there_is_told()
    {
        var sysfs = new Sysfs(_folder.FullName);
        File.WriteAllText(sysfs.PathOf("override"), "");

        sysfs.Write("override", "vfio-pci");

        Assert.Equal("vfio-pci\n", File.ReadAllText(sysfs.PathOf("override")));
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => sysfs.Write("none", "")).Errno);
        Assert.False(sysfs.Exists("none"));
    }

    [Theory]
    [InlineData("root", 0u)]
    [InlineData("1234", 1234u)]
    [InlineData("nobody-of-this-name", null)]
    public void Users_are_known_by_name_and_by_number(string name, uint? number) => Assert.Equal(number, HostUser.NumberOf(name));

    [Fact]
    public void Epoll_names_the_file_that_is_ready()
    {
        using var first = EventFd.Create();
        using var second = EventFd.Create();
        using var epoll = Epoll.Create();
        Assert.True(epoll.TryAdd(first, 1));
        Assert.True(epoll.TryAdd(second, 2));
        var tokens = new int[4];
        Assert.Equal(0, epoll.Wait(tokens, TimeSpan.Zero));

        second.Signal();
        Assert.Equal(1, epoll.Wait(tokens, TimeSpan.FromSeconds(5)));
        Assert.Equal(2, tokens[0]);

        epoll.Remove(second);
        Assert.Equal(0, epoll.Wait(tokens, TimeSpan.Zero));
    }

    [Fact]
    public void Memory_mapped_twice_is_one_memory_and_a_range_outside_is_refused()
    {
        using var file = MemoryFile.Create("test", 8192);
        using var one = file.Map();
        using var other = file.Map();
        one.Slice(4096, 1)[0] = 7;

        Assert.Equal(7, other.Slice(4096, 1)[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => one.Slice(8190, 3).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => one.Slice(ulong.MaxValue, 1).Length);
    }

    [Fact]
    public void A_descriptor_that_is_closed_is_not_used_again()
    {
        var eventFd = EventFd.Create();
        eventFd.Dispose();

        Assert.Throws<ObjectDisposedException>(eventFd.Signal);
    }

    [Fact]
    public void A_failed_open_says_what_and_why()
    {
        Assert.False(DeviceFile.CanOpen("/dev/no-such-device", out var errno));
        Assert.Equal(Errno.ENOENT, errno);
        Assert.Equal(
            "open /dev/no-such-device: No such file or directory (ENOENT)",
            new LinuxException("open /dev/no-such-device", errno).Message);
    }

    [Fact]
    public void Sysfs_gives_numbers_links_names_and_bytes_and_tells_what_is_missing()
    {
        var device = Directory.CreateDirectory(Path.Combine(_folder.FullName, "bus/pci/devices/0000:00:06.0")).FullName;
        File.WriteAllText(Path.Combine(device, "vendor"), "0x8086\n");
        File.WriteAllText(Path.Combine(device, "odd"), "many\n");
        File.WriteAllBytes(Path.Combine(device, "config"), [1, 2, 3]);
        File.CreateSymbolicLink(Path.Combine(device, "driver"), "../../drivers/vfio-pci");
        var sysfs = new Sysfs(_folder.FullName);
        const string Path0 = "bus/pci/devices/0000:00:06.0";

        Assert.Equal(0x8086ul, sysfs.ReadHex($"{Path0}/vendor"));
        Assert.Equal("vfio-pci", sysfs.ReadLinkName($"{Path0}/driver"));
        Assert.Equal(["config", "driver", "odd", "vendor"], sysfs.List(Path0));
        Assert.Equal([1, 2, 3], sysfs.ReadBytes($"{Path0}/config", 64));
        Assert.Null(sysfs.ReadLinkName($"{Path0}/iommu_group"));
        Assert.Null(sysfs.TryReadText($"{Path0}/absent"));
        Assert.Empty(sysfs.List("absent"));
        Assert.Empty(sysfs.ReadBytes("absent", 4));
        Assert.Contains("absent", Assert.Throws<LinuxException>(() => sysfs.ReadHex($"{Path0}/absent")).Message, StringComparison.Ordinal);
        Assert.Contains("'many'", Assert.Throws<LinuxException>(() => sysfs.ReadHex($"{Path0}/odd")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Limits_and_memory_of_the_host_are_known()
    {
        Assert.True(ResourceLimits.HostMemory > 16 << 20);
        Assert.True(ResourceLimits.MemoryLock.Soft <= ResourceLimits.MemoryLock.Hard);
    }

    [Theory]
    [InlineData("000001ffffffffff", "user:[4026531837]", true)]
    [InlineData("0000000000004000", "user:[4026531837]", true)]
    [InlineData("0000000000004000", null, true)]
    [InlineData("000001ffffffbfff", "user:[4026531837]", false)]
    [InlineData("000001ffffffffff", "user:[4026532567]", false)]
    public void A_capability_counts_for_the_host_only_in_the_initial_user_namespace(string effective, string? userNamespace, bool counts)
    {
        var self = Directory.CreateDirectory(Path.Combine(_folder.FullName, "self/ns")).Parent!.FullName;
        File.WriteAllText(Path.Combine(self, "status"), $"Name:\thatchway\nCapPrm:\tffffffffffffffff\nCapEff:\t{effective}\n");
        if (userNamespace is not null)
            File.CreateSymbolicLink(Path.Combine(self, "ns/user"), userNamespace);

        Assert.Equal(counts, ResourceLimits.HasHostCapability(ResourceLimits.CapIpcLock, _folder.FullName));
    }

    [Fact]
    public void What_is_no_terminal_stays_as_it_is()
    {
        using var file = MemoryFile.Create("test", 4096);

        Assert.Null(RawTerminal.TryEnter(file));
        Assert.False(file.IsTerminal);
    }
}
