using FsCheck.Fluent;
using Hatchway.Pci.Address;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Tests;

/// <summary>The two mechanisms for config space: ports 0xCF8 to 0xCFF, and memory.</summary>
public sealed class ConfigAccessTests
{
    private readonly PciBus _bus = new();
    private readonly Recorder _function = new();
    private readonly Ecam _ecam;
    private readonly ConfigPorts _ports;

    public ConfigAccessTests()
    {
        _bus.Add(6, 3, _function);
        _ecam = new Ecam(_bus);
        _ports = new ConfigPorts(_bus);
    }

    [Theory]
    [InlineData(0x8000_3300, 4, AccessWidth.Dword, "read 000 4")]
    [InlineData(0x8000_33FC, 4, AccessWidth.Dword, "read 0fc 4")]
    [InlineData(0x8000_3304, 6, AccessWidth.Word, "read 006 2")]
    [InlineData(0x8000_330C, 6, AccessWidth.Byte, "read 00e 1")]
    [InlineData(0x8000_3307, 7, AccessWidth.Byte, "read 007 1")]
    [InlineData(0xFF00_3300, 4, AccessWidth.Dword, "read 000 4")]
    public void The_address_port_selects_what_the_data_ports_reach(uint address, ulong port, AccessWidth width, string access)
    {
        _ports.Write(0, AccessWidth.Dword, address);
        Assert.Equal(0x1234_5678ul & width.AllOnes(), _ports.Read(port, width));
        Assert.Equal(access, Assert.Single(_function.Accesses));
    }

    [Theory]
    [InlineData(0x0000_3300, 4, AccessWidth.Dword)]
    [InlineData(0x8001_3300, 4, AccessWidth.Dword)]
    [InlineData(0x8000_3200, 4, AccessWidth.Dword)]
    [InlineData(0x8000_3B00, 4, AccessWidth.Dword)]
    [InlineData(0x8000_3300, 5, AccessWidth.Word)]
    [InlineData(0x8000_3300, 6, AccessWidth.Dword)]
    [InlineData(0x8000_3300, 7, AccessWidth.Word)]
    [InlineData(0x8000_3300, 2, AccessWidth.Dword)]
    public void What_selects_no_register_of_bus_0_reads_as_all_ones_and_drops_writes(uint address, ulong port, AccessWidth width)
    {
        _ports.Write(0, AccessWidth.Dword, address);
        Assert.Equal(width.AllOnes(), _ports.Read(port, width));
        _ports.Write(port, width, 0);
        Assert.Empty(_function.Accesses);
    }

    [Fact]
    public void The_address_port_reads_back_without_its_reserved_bits_and_as_a_dword_only()
    {
        _ports.Write(0, AccessWidth.Dword, 0xFFFF_FFFF);
        Assert.Equal(0x80FF_FFFCul, _ports.Read(0, AccessWidth.Dword));
        _ports.Write(0, AccessWidth.Byte, 0);
        _ports.Write(1, AccessWidth.Byte, 6);
        _ports.Write(2, AccessWidth.Word, 0);
        Assert.Equal(0x80FF_FFFCul, _ports.Read(0, AccessWidth.Dword));
        Assert.Equal(0xFFFFul, _ports.Read(0, AccessWidth.Word));
        Assert.Equal(0xFFul, _ports.Read(1, AccessWidth.Byte));
    }

    [Fact]
    public void A_write_to_a_data_port_arrives_at_its_width()
    {
        _ports.Write(0, AccessWidth.Dword, 0x8000_3304);
        _ports.Write(4, AccessWidth.Word, 0x0006);
        _ports.Write(7, AccessWidth.Byte, 0xF9);
        Assert.Equal(["write 004 2 6", "write 007 1 f9"], _function.Accesses);
    }

    [Theory]
    [InlineData(0x3_3000, AccessWidth.Dword, "read 000 4")]
    [InlineData(0x3_3FFC, AccessWidth.Dword, "read ffc 4")]
    [InlineData(0x3_3102, AccessWidth.Word, "read 102 2")]
    [InlineData(0x3_3FFF, AccessWidth.Byte, "read fff 1")]
    public void Memory_reaches_all_4_KiB_of_a_function(ulong offset, AccessWidth width, string access)
    {
        Assert.Equal(0x1234_5678ul & width.AllOnes(), _ecam.Read(offset, width));
        Assert.Equal(access, Assert.Single(_function.Accesses));
    }

    [Theory]
    [InlineData(0x13_3000, AccessWidth.Dword)]
    [InlineData(0xFFF3_3000, AccessWidth.Dword)]
    [InlineData(0x1_0003_3000, AccessWidth.Dword)]
    [InlineData(0x3_2000, AccessWidth.Dword)]
    [InlineData(0x3_3001, AccessWidth.Word)]
    [InlineData(0x3_3002, AccessWidth.Dword)]
    [InlineData(0x3_3000, AccessWidth.Qword)]
    public void What_is_no_register_of_bus_0_reads_as_all_ones(ulong offset, AccessWidth width)
    {
        Assert.Equal(width.AllOnes(), _ecam.Read(offset, width));
        _ecam.Write(offset, width, 0);
        Assert.Empty(_function.Accesses);
    }

    [Fact]
    public void Both_ways_lead_to_the_same_register()
    {
        var places =
            from device in Gen.Choose(0, 31)
            from function in Gen.Choose(0, 7)
            from register in Gen.Choose(0, 255)
            from width in Gen.Elements(AccessWidth.Byte, AccessWidth.Word, AccessWidth.Dword)
            select (device, function, register: register & ~((int)width - 1), width);
        Properties.Hold(places, static place =>
        {
            var bus = new PciBus();
            var target = new Recorder();
            bus.Add(place.device, place.function, target);
            var ports = new ConfigPorts(bus);
            ports.Write(0, AccessWidth.Dword, (uint)((1 << 31) | (place.device << 11) | (place.function << 8) | (place.register & ~3)));
            ports.Write(4 + ((ulong)place.register & 3), place.width, 1);
            new Ecam(bus).Write((ulong)((place.device << 15) | (place.function << 12) | place.register), place.width, 1);
            Assert.Equal($"write {place.register:x3} {(int)place.width} 1", target.Accesses[0]);
            Assert.Equal(target.Accesses[0], target.Accesses[1]);
        });
    }

    [Fact]
    public void A_place_on_the_bus_is_given_once()
    {
        Assert.Throws<InvalidOperationException>(() => _bus.Add(6, 3, new Recorder()));
        Assert.Throws<ArgumentOutOfRangeException>(() => _bus.Add(32, 0, new Recorder()));
        Assert.Throws<ArgumentOutOfRangeException>(() => _bus.Add(0, 8, new Recorder()));
        Assert.True(_bus.HasDevice(6));
        Assert.False(_bus.HasDevice(5));
        Assert.Same(_function, _bus[6, 3]);
    }

    [Fact]
    public void An_emulated_function_keeps_what_may_be_written_and_nothing_else()
    {
        var bridge = new EmulatedFunction([0x86, 0x80, 0x37, 0x12], [0, 0, 0, 0, 0x07]);
        bridge.WriteConfig(new(0), AccessWidth.Dword, 0);
        bridge.WriteConfig(new(4), AccessWidth.Dword, uint.MaxValue);
        bridge.WriteConfig(new(0x200), AccessWidth.Dword, uint.MaxValue);
        Assert.Equal(0x1237_8086u, bridge.ReadConfig(new(0), AccessWidth.Dword));
        Assert.Equal(0x0000_0007u, bridge.ReadConfig(new(4), AccessWidth.Dword));
        Assert.Equal(0u, bridge.ReadConfig(new(0x100), AccessWidth.Dword));
        Assert.Throws<ArgumentOutOfRangeException>(static () => new EmulatedFunction(new byte[257], []));
    }

    private sealed class Recorder : IPciFunction
    {
        public List<string> Accesses { get; } = [];

        public uint ReadConfig(ConfigOffset offset, AccessWidth width)
        {
            Accesses.Add($"read {offset.Value:x3} {(int)width}");
            return 0x1234_5678u & (uint)width.AllOnes();
        }

        public void WriteConfig(ConfigOffset offset, AccessWidth width, uint value) =>
            Accesses.Add($"write {offset.Value:x3} {(int)width} {value:x}");
    }
}
