using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>Register accesses through sysfs, with plain files in place of a device's.</summary>
public sealed class PciDeviceTests : IDisposable
{
    private const string Function = "0000:3b:00.0";
    private const ulong Memory = 0x200;
    private const ulong Ports = 0x100;
    private static readonly BarIndex MemoryBar = new(0);
    private static readonly BarIndex PortBar = new(1);
    private static readonly BarIndex SmallBar = new(2);
    private readonly SysfsTree _tree = new();

    public PciDeviceTests()
    {
        var config = new byte[256];
        // Memory and port decoding are on.
        config[4] = 3;
        config[0x40] = 0x11;
        config[0x41] = 0x22;
        _tree.WithFunction(Function).WithConfig(Function, config)
            .WithResources(Function, (0, 0xF000_0000, 0x2000, Memory), (1, 0xC000, 0x20, Ports), (2, 0xF001_0100, 0x100, Memory))
            .Bytes($"{SysfsTree.PathOf(Function)}/resource0", [.. Enumerable.Range(0, 0x2000).Select(static i => (byte)i)])
            .Bytes($"{SysfsTree.PathOf(Function)}/resource1", new byte[0x20])
            .Bytes($"{SysfsTree.PathOf(Function)}/resource2", new byte[0x1000]);
    }

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void Config_space_is_read_and_written_at_the_width_asked_for()
    {
        using var device = Open();

        Assert.Equal(0x2211u, device.ReadConfig(new(0x40), AccessWidth.Word));
        device.WriteConfig(new(0x44), AccessWidth.Dword, 0xAABBCCDD);
        Assert.Equal(0xBBu, device.ReadConfig(new(0x46), AccessWidth.Byte));
    }

    [Theory]
    [InlineData(AccessWidth.Byte, 0x11ul)]
    [InlineData(AccessWidth.Word, 0x1110ul)]
    [InlineData(AccessWidth.Dword, 0x13121110ul)]
    [InlineData(AccessWidth.Qword, 0x1716151413121110ul)]
    public void Memory_is_read_at_every_width(AccessWidth width, ulong expected)
    {
        using var device = Open();

        Assert.Equal(expected, device.ReadBar(MemoryBar, width == AccessWidth.Byte ? 0x1011u : 0x1010u, width));
    }

    [Theory]
    [InlineData(AccessWidth.Byte)]
    [InlineData(AccessWidth.Word)]
    [InlineData(AccessWidth.Dword)]
    [InlineData(AccessWidth.Qword)]
    public void A_write_touches_its_own_bytes_only(AccessWidth width)
    {
        using var device = Open();

        device.WriteBar(MemoryBar, 8, width, width.AllOnes());

        Assert.Equal(width.AllOnes(), device.ReadBar(MemoryBar, 8, width));
        Assert.Equal((ulong)(byte)(8 + (int)width), device.ReadBar(MemoryBar, 8 + (ulong)width, AccessWidth.Byte));
        Assert.Equal(7ul, device.ReadBar(MemoryBar, 7, AccessWidth.Byte));
    }

    [Fact]
    public void Ports_are_read_and_written()
    {
        using var device = Open();

        device.WriteBar(PortBar, 0x1C, AccessWidth.Dword, 0x12345678);

        Assert.Equal(0x5678ul, device.ReadBar(PortBar, 0x1C, AccessWidth.Word));
    }

    [Fact]
    public void A_bar_that_begins_inside_a_page_is_read_where_it_is()
    {
        using var device = Open();

        device.WriteBar(SmallBar, 4, AccessWidth.Dword, 0xCAFE);

        Assert.Equal(0xCAFE, BitConverter.ToInt32(_tree.Sysfs.ReadBytes($"{SysfsTree.PathOf(Function)}/resource2", 0x1000), 0x104));
    }

    public static TheoryData<byte?, ulong, AccessWidth, ulong, string> Refused => new()
    {
        { 0, 0x2000, AccessWidth.Byte, 0, "beyond its 2000h bytes" },
        { 0, ulong.MaxValue, AccessWidth.Byte, 0, "beyond its 2000h bytes" },
        { 0, ulong.MaxValue - 7, AccessWidth.Qword, 0, "beyond its 2000h bytes" },
        { 0, 2, AccessWidth.Dword, 0, "begins at a multiple of 4" },
        { 0, 0, (AccessWidth)3, 0, "not accessed by 3 bytes" },
        { 0, 0, AccessWidth.Byte, 0x100, "100h does not fit 1 byte" },
        { 1, 0, AccessWidth.Qword, 0, "not accessed by 8 bytes at once: 1, 2, 4 can be" },
        { 1, 0x20, AccessWidth.Byte, 0, "beyond its 20h bytes" },
        { 2, 0x100, AccessWidth.Byte, 0, "beyond its 100h bytes" },
        { 3, 0, AccessWidth.Byte, 0, "it has no BAR3" },
        { 6, 0, AccessWidth.Byte, 0, "it has no ROM" },
        { null, 0x100, AccessWidth.Byte, 0, "beyond its 100h bytes" },
        { null, 0x41, AccessWidth.Word, 0, "begins at a multiple of 2" },
        { null, 0x40, AccessWidth.Qword, 0, "not accessed by 8 bytes" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_lies_outside_is_not_aligned_or_does_not_fit_is_refused(
        byte? bar, ulong offset, AccessWidth width, ulong value, string says)
    {
        using var device = Open();
        var access = new RegisterAccess(AccessDirection.Write, bar is { } index ? new BarIndex(index) : null, offset, width, value);

        var refusal = Assert.Throws<PassthroughException>(() => device.Access(access)).Message;

        Assert.StartsWith($"{Function}: ", refusal, StringComparison.Ordinal);
        Assert.Contains(says, refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bar_whose_decoding_is_off_is_not_read_as_all_ones()
    {
        _tree.WithConfig(Function, new byte[256]);
        using var device = Open();

        var refusal = Assert.Throws<PassthroughException>(() => device.ReadBar(MemoryBar, 0, AccessWidth.Dword));

        Assert.Contains("/enable'", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<PassthroughException>(() => device.ReadBar(PortBar, 0, AccessWidth.Dword));
    }

    [Fact]
    public void A_bar_of_a_bound_function_is_refused_and_its_config_space_is_not()
    {
        const string Bound = "0000:3c:00.0";
        _tree.WithFunction(Bound, "ixgbe").WithConfig(Bound, Decoding())
            .WithResources(Bound, (0, 0xE000_0000, 0x1000, Memory)).Bytes($"{SysfsTree.PathOf(Bound)}/resource0", new byte[0x1000]);
        using var device = PciDevice.Open(_tree.View, PciAddress.Parse(Bound));

        Assert.Equal(3u, device.ReadConfig(new(4), AccessWidth.Byte));
        var refusal = Assert.Throws<PassthroughException>(() => device.ReadBar(MemoryBar, 0, AccessWidth.Dword)).Message;
        Assert.Equal($"{Bound}: BAR0 is in use by the driver 'ixgbe': 'hatchway host reserve {Bound}' takes it from there", refusal);
    }

    [Fact]
    public void A_bar_without_an_address_is_refused()
    {
        const string Homeless = "0000:3d:00.0";
        const ulong Unset = 0x2000_0000;
        _tree.WithFunction(Homeless).WithConfig(Homeless, Decoding())
            .WithResources(Homeless, (0, 0, 0x1000, Memory), (1, 0x8000_0000, 0x1000, Memory | Unset));
        using var device = PciDevice.Open(_tree.View, PciAddress.Parse(Homeless));

        foreach (var bar in new byte[] { 0, 1 })
        {
            var refusal = Assert.Throws<PassthroughException>(() => device.ReadBar(new(bar), 0, AccessWidth.Dword)).Message;
            Assert.StartsWith($"{Homeless}: BAR{bar} has no address", refusal, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_bar_of_a_function_that_is_bound_later_is_refused_from_then_on()
    {
        using var device = Open();
        device.ReadBar(MemoryBar, 0, AccessWidth.Dword);

        _tree.Bind(Function, "ixgbe");

        Assert.Contains(
            "in use by the driver 'ixgbe'",
            Assert.Throws<PassthroughException>(() => device.ReadBar(MemoryBar, 0, AccessWidth.Dword)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_function_in_a_domain_of_linuxs_own_is_found()
    {
        const string BehindVmd = "10000:e1:00.0";
        _tree.WithFunction(BehindVmd).WithConfig(BehindVmd, Decoding());
        using var device = PciDevice.Open(_tree.View, PciAddress.Parse(BehindVmd));

        Assert.Equal(3u, device.ReadConfig(new(4), AccessWidth.Byte));
        Assert.Equal([Function, BehindVmd], _tree.View.Devices.Select(static found => found.Address.ToString()));
    }

    [Fact]
    public void A_bar_that_something_without_a_driver_has_claimed_is_refused()
    {
        _tree.WithProc("iomem", $"f0000000-f0ffffff : PCI Bus 0000:3b\n  f0000000-f0001fff : {Function}\n    f0000000-f0001fff : efifb\n");
        using var device = Open();

        var refusal = Assert.Throws<PassthroughException>(() => device.ReadBar(MemoryBar, 0, AccessWidth.Dword));

        Assert.Contains("in use by efifb", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0ul, device.ReadBar(SmallBar, 0, AccessWidth.Dword));
    }

    [Theory]
    [InlineData(1, "is a PCI bridge")]
    [InlineData(2, "is a PCI bridge")]
    [InlineData(3, "header of type 3")]
    public void Other_headers_than_type_0_are_refused(byte headerType, string says)
    {
        _tree.WithFunction("0000:00:01.0", headerType: headerType);

        var refusal = Assert.Throws<PassthroughException>(() => PciDevice.Open(_tree.View, PciAddress.Parse("0000:00:01.0")));

        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_function_that_is_not_there_is_told() =>
        Assert.Contains(
            "no such PCI function",
            Assert.Throws<PassthroughException>(() => PciDevice.Open(_tree.View, PciAddress.Parse("0/9/0"))).Message,
            StringComparison.Ordinal);

    private static byte[] Decoding()
    {
        var config = new byte[256];
        config[4] = 3;
        return config;
    }

    private PciDevice Open() => PciDevice.Open(_tree.View, PciAddress.Parse(Function));
}
