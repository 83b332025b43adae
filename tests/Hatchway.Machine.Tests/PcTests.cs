using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Tests.Devices;
using Hatchway.Machine.Tests.Memory;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests;

public sealed class PcTests : IDisposable
{
    private readonly FakePower _power = new();
    private readonly Dictionary<uint, FakeLine> _lines = [];
    private readonly FakeTime _time = new(DateTimeOffset.UnixEpoch);
    private readonly Pc _pc;

    public PcTests()
    {
        _pc = new Pc(new Pc.Parts(MemoryLayout.For(1ul << 30, 40), Line, _power, _time));
        _pc.Bus.Add(0, 0, Bridges.HostBridge());
        _pc.Bus.Add(31, 0, Bridges.LpcBridge());
    }

    public void Dispose() => _pc.Dispose();

    [Fact]
    public void Linux_finds_configuration_mechanism_1()
    {
        // Linux's pci_check_type1: a byte to 0xCFB, then 0xCF8 must keep the enable bit.
        Out(0xCFB, AccessWidth.Byte, 1);
        Out(0xCF8, AccessWidth.Dword, 0x8000_0000);
        Assert.Equal(0x8000_0000ul, In(0xCF8, AccessWidth.Dword));
        Assert.Equal(0x1275_1275ul, In(0xCFC, AccessWidth.Dword));
        Assert.Empty(_power.Requests);
    }

    [Theory]
    [InlineData(0, 0x1275_1275ul, 0x0600_0000ul)]
    [InlineData(31, 0x7000_8086ul, 0x0601_0000ul)]
    public void The_bridges_are_seen_through_both_ways_to_config_space(int slot, ulong ids, ulong classAndRevision)
    {
        var ecam = 0xE000_0000 + ((ulong)slot << 15);
        Assert.Equal(ids, _pc.Memory.Read(ecam, AccessWidth.Dword));
        Assert.Equal(classAndRevision, _pc.Memory.Read(ecam + 8, AccessWidth.Dword));
        Out(0xCF8, AccessWidth.Dword, 0x8000_0008 | ((ulong)slot << 11));
        Assert.Equal(classAndRevision, In(0xCFC, AccessWidth.Dword));
        Assert.Equal(0ul, _pc.Memory.Read(ecam + 0xE, AccessWidth.Byte));
    }

    [Fact]
    public void A_bridge_has_no_BAR_and_keeps_its_command_register()
    {
        _pc.Memory.Write(0xE000_0010, AccessWidth.Dword, 0xFFFF_FFFF);
        Assert.Equal(0ul, _pc.Memory.Read(0xE000_0010, AccessWidth.Dword));
        _pc.Memory.Write(0xE000_0004, AccessWidth.Word, 0xFFFF);
        Assert.Equal(7ul, _pc.Memory.Read(0xE000_0004, AccessWidth.Word));
    }

    [Fact]
    public void An_empty_slot_reads_as_all_ones() => Assert.Equal(0xFFFF_FFFFul, _pc.Memory.Read(0xE000_8000, AccessWidth.Dword));

    [Theory]
    [InlineData(0x02, 0x06)]
    [InlineData(0x02, 0x0E)]
    public void Linux_resets_by_port_0xCF9(ulong first, ulong second)
    {
        Out(0xCF9, AccessWidth.Byte, first);
        Assert.Empty(_power.Requests);
        Assert.Equal(first, In(0xCF9, AccessWidth.Byte));
        Out(0xCF9, AccessWidth.Byte, second);
        Assert.Equal([PowerEvent.Reset], _power.Requests);
    }

    [Fact]
    public void ACPI_resets_by_one_write()
    {
        Out(ResetPort.Port, AccessWidth.Byte, ResetPort.AcpiResetValue);
        Assert.Equal([PowerEvent.Reset], _power.Requests);
    }

    [Fact]
    public void A_reset_needs_an_edge()
    {
        Out(0xCF9, AccessWidth.Byte, 0x06);
        Out(0xCF9, AccessWidth.Byte, 0x0E);
        Assert.Single(_power.Requests);
    }

    [Fact]
    public void A_configuration_address_whose_bits_look_like_a_reset_is_none()
    {
        Out(0xCF8, AccessWidth.Dword, 0x8000_0600);
        Assert.Empty(_power.Requests);
        Assert.Equal(0x8000_0600ul, In(0xCF8, AccessWidth.Dword));
        Assert.Equal(0ul, In(0xCF9, AccessWidth.Byte));
    }

    [Fact]
    public void The_keyboard_controllers_reset_is_the_only_command_there()
    {
        Assert.Equal(0xFFul, In(0x64, AccessWidth.Byte));
        Out(0x64, AccessWidth.Byte, 0xD1);
        Assert.Empty(_power.Requests);
        Out(0x64, AccessWidth.Byte, 0xFE);
        Assert.Equal([PowerEvent.Reset], _power.Requests);
    }

    [Fact]
    public void ACPIs_fixed_hardware_is_at_0x600_on_interrupt_9()
    {
        Assert.Equal(1ul, In(0x604, AccessWidth.Word));
        Out(0x602, AccessWidth.Word, 0x100);
        _pc.PowerManagement.PressPowerButton();
        Assert.True(_lines[9].Asserted);
    }

    [Fact]
    public void Firmware_switches_off_where_a_PIIX4_has_its_power_management_with_sleep_type_0()
    {
        using var pc = new Pc(new Pc.Parts(MemoryLayout.ForFirmware(1ul << 30, 40), Line, _power, _time));

        // OvmfPkg/Library/ResetSystemLib: the type is cleared first, then SLP_EN set.
        pc.Ports.Write(0xB004, AccessWidth.Word, pc.Ports.Read(0xB004, AccessWidth.Word) & ~0x3C00ul);
        Assert.Empty(_power.Requests);
        pc.Ports.Write(0xB004, AccessWidth.Word, pc.Ports.Read(0xB004, AccessWidth.Word) | 0x2000);

        Assert.Equal([PowerEvent.PowerOff], _power.Requests);
        Assert.Equal(0xFFFFul, pc.Ports.Read(0x604, AccessWidth.Word));
        Assert.False(pc.PciMap.TryMap(AddressSpaceKind.Io, 0xB000, 0x10, new ConstantTarget(7)));
    }

    [Fact]
    public void The_clock_is_at_0x70_on_interrupt_8()
    {
        Out(0x70, AccessWidth.Byte, 0x32);
        Assert.Equal(0x19ul, In(0x71, AccessWidth.Byte));
        _time.Elapsed = TimeSpan.FromSeconds(1);
        Out(0x70, AccessWidth.Byte, 0x0B);
        Out(0x71, AccessWidth.Byte, 0x12);
        Assert.True(_lines[8].Asserted);
    }

    [Fact]
    public void Firmware_finds_the_PM_timer_where_a_PIIX4_has_it_and_a_system_finds_no_function_there()
    {
        _pc.Bus.Add(1, 3, Bridges.PowerManagementRegisters(0xB000));
        Assert.Equal(0xB001u, _pc.Bus.ReadConfig(1, 3, new(0x40), AccessWidth.Dword));
        Assert.Equal(1u, _pc.Bus.ReadConfig(1, 3, new(0x80), AccessWidth.Byte));
        // The register is fixed: firmware that writes it reads back the same address.
        _pc.Bus.WriteConfig(1, 3, new(0x40), AccessWidth.Dword, 0x601);
        Assert.Equal(0xB001u, _pc.Bus.ReadConfig(1, 3, new(0x40), AccessWidth.Dword));
        Assert.Equal(0xFFFF_FFFFu, _pc.Bus.ReadConfig(1, 3, new(0), AccessWidth.Dword));
    }

    [Fact]
    public void Com1_is_at_0x3F8_on_interrupt_4_once_it_is_added()
    {
        Assert.Equal(0xFFul, In(0x3FD, AccessWidth.Byte));
        var sink = new FakeSink();
        _pc.AddSerialPort(1, sink, null);
        Out(0x3F8, AccessWidth.Byte, 'A');
        Assert.Equal("A"u8.ToArray(), sink.Bytes);
        Out(0x3FC, AccessWidth.Byte, 8);
        Out(0x3F9, AccessWidth.Byte, 2);
        Assert.True(_lines[4].Asserted);
    }

    [Fact]
    public void A_function_answers_in_the_bridges_windows()
    {
        Assert.True(_pc.PciMap.TryMap(AddressSpaceKind.Io, 0xC000, 0x20, new ConstantTarget(7)));
        Assert.True(_pc.PciMap.TryMap(AddressSpaceKind.Memory, 0xC000_0000, 0x1000, new ConstantTarget(8)));
        Assert.Equal(7ul, In(0xC01F, AccessWidth.Byte));
        Assert.Equal(8ul, _pc.Memory.Read(0xC000_0FFF, AccessWidth.Byte));
    }

    [Fact]
    public void No_device_allocates_for_an_access()
    {
        _pc.AddSerialPort(1, new SilentSink(), null);
        TouchEverything();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            TouchEverything();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    // Reads every port at every width and writes it back; then every cell of the CMOS RAM, and config space by both mechanisms.
    private void TouchEverything()
    {
        foreach (var width in (ReadOnlySpan<AccessWidth>)[AccessWidth.Byte, AccessWidth.Word, AccessWidth.Dword])
        {
            for (ulong port = 0; port < 0x1000; port++)
                Out(port, width, In(port, width) & 0x3F);
        }
        for (ulong cell = 0; cell < 0x80; cell++)
        {
            Out(0x70, AccessWidth.Byte, cell);
            Out(0x71, AccessWidth.Byte, In(0x71, AccessWidth.Byte));
        }
        for (ulong register = 0; register < 0x100; register += 4)
        {
            Out(0xCF8, AccessWidth.Dword, 0x8000_0000 | register);
            _pc.Memory.Write(0xE000_0000 + register, AccessWidth.Dword, In(0xCFC, AccessWidth.Dword));
        }
    }

    private sealed class SilentSink : ICharacterSink
    {
        public void Write(ReadOnlySpan<byte> bytes)
        {
        }
    }

    private FakeLine Line(uint gsi) => _lines[gsi] = new FakeLine();

    private ulong In(ulong port, AccessWidth width) => _pc.Ports.Read(port, width);

    private void Out(ulong port, AccessWidth width, ulong value) => _pc.Ports.Write(port, width, value);
}
