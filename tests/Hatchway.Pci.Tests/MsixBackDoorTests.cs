using Hatchway.Pci.Address;
using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

/// <summary>The registers of an RTL8168 that reach its MSI-X table: a guest finds its own behind them.</summary>
public sealed class MsixBackDoorTests
{
    private const int Capability = 0xB0;
    private const int Vectors = 4;
    private const ulong Data = 0x70;
    private const ulong Address = 0x74;
    private const uint Table = 0x0001_F000;
    private const uint Command = 0x8000_0000;

    [Fact]
    public void A_message_that_is_programmed_there_is_the_guests_and_nothing_of_it_reaches_the_devices_table()
    {
        using var guest = Create();
        guest.Write16(Capability + Msix.Control, Msix.Enable);
        Put(guest, 0x10, 0xFEE0_1000);
        Put(guest, 0x18, 0x41);
        Put(guest, 0x1C, 0);

        Assert.Equal(new MsiMessage(0xFEE0_1000, 0x41), guest.Host.Msix![1]);
        Assert.Equal(0xFEE0_1000ul, guest.Window(4).Read(0x10, AccessWidth.Dword));
        Assert.Empty(guest.Log.Of("BAR2.write 74", "BAR4.write"));
    }

    [Fact]
    public void The_guests_table_is_read_there_and_the_command_bit_turns_over()
    {
        using var guest = Create();
        guest.Window(4).Write(0x20, AccessWidth.Dword, 0xFEE0_2000);

        guest.Window(2).Write(Address, AccessWidth.Dword, Table | 0x20);

        Assert.Equal(Command | Table | 0x20, guest.Window(2).Read(Address, AccessWidth.Dword));
        Assert.Equal(0xFEE0_2000ul, guest.Window(2).Read(Data, AccessWidth.Dword));
        Assert.Equal(((ulong)(Command | Table | 0x20) << 32) | 0xFEE0_2000, guest.Window(2).Read(Data, AccessWidth.Qword));
        guest.Window(2).Write(Address, AccessWidth.Dword, Command | Table | 0x20);
        Assert.Equal(Table | 0x20, guest.Window(2).Read(Address, AccessWidth.Dword));
    }

    [Fact]
    public void What_is_not_the_table_is_the_devices_own()
    {
        using var guest = Create();
        guest.Window(2).Write(Data, AccessWidth.Dword, 0x1234_5678);
        guest.Window(2).Write(Address, AccessWidth.Dword, Command | 0x0000_F0D4);

        Assert.Equal(["BAR2.write 70 4 12345678", "BAR2.write 74 4 8000f0d4"], guest.Log.Of("BAR2.write"));
        Assert.Equal(FakeRegion.Pattern(Address, AccessWidth.Dword), guest.Window(2).Read(Address, AccessWidth.Dword));
        Assert.Equal(FakeRegion.Pattern(Data, AccessWidth.Qword), guest.Window(2).Read(Data, AccessWidth.Qword));
        guest.Window(2).Write(Data + 8, AccessWidth.Dword, 5);
        Assert.Equal("BAR2.write 78 4 5", guest.Log.Of("BAR2.write")[^1]);
    }

    [Theory]
    [InlineData(Vectors * 16)]
    [InlineData((Vectors * 16) - 2)]
    [InlineData(0xFFF)]
    public void Behind_the_tables_end_is_nothing(uint at)
    {
        using var guest = Create();
        Put(guest, at, uint.MaxValue);
        Assert.Equal(0ul, guest.Window(2).Read(Data, AccessWidth.Dword));
        Assert.Equal(0, guest.Window(2).Failures);
    }

    [Fact]
    public void A_write_of_half_a_register_is_dropped()
    {
        using var guest = Create();
        guest.Window(2).Write(Address, AccessWidth.Dword, 0);
        var before = guest.Log.Of("BAR2.write");
        guest.Window(2).Write(Address + 2, AccessWidth.Word, (Command | Table) >> 16);
        Assert.Equal(before, guest.Log.Of("BAR2.write"));
    }

    [Fact]
    public void A_guest_without_MSI_X_reaches_no_table_there_either()
    {
        using var guest = new Guest(Device().Build(), static host => host.Msix = null);
        Put(guest, 0, 0xFEE0_0000);
        Assert.Equal(0ul, guest.Window(2).Read(Data, AccessWidth.Dword));
        Assert.Empty(guest.Log.Of("BAR2.write 74"));
    }

    [Fact]
    public void Another_device_has_no_such_registers()
    {
        using var guest = new Guest(Device().Set16(Header.DeviceId, 0x8169).Build());
        guest.Window(2).Write(Address, AccessWidth.Dword, Command | Table);
        Assert.Equal(["BAR2.write 74 4 8001f000"], guest.Log.Of("BAR2.write"));
    }

    private static void Put(Guest guest, uint at, uint value)
    {
        guest.Window(2).Write(Data, AccessWidth.Dword, value);
        guest.Window(2).Write(Address, AccessWidth.Dword, Command | Table | at);
    }

    private static Guest Create() => new(Device().Build());

    private static ConfigBuilder Device() => new ConfigBuilder()
        .Set16(Header.VendorId, 0x10EC).Set16(Header.DeviceId, 0x8168)
        .Bar(2, BarBits.Type64, 0x1000).Bar(4, BarBits.Type64, 0x4000).Msix(Capability, Vectors, 4, 0, 0x800);
}
