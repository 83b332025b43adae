using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

/// <summary>Resets that a guest makes with a write to config space: the device performs them, and the guest's view follows.</summary>
public sealed class GuestResetTests
{
    private const ulong Place = 0xC000_0000;
    private const int Express = 0x60;
    private const int Advanced = 0xA0;
    private const int Power = 0x40;
    private const int Table = 0x50;
    private const CommandBits Running = CommandBits.Memory | CommandBits.BusMaster;

    [Theory]
    [InlineData(Express + PciExpress.DeviceControl, AccessWidth.Word, 0xA810u)]
    [InlineData(Express + PciExpress.DeviceControl, AccessWidth.Dword, 0x000F_8000u)]
    [InlineData(Express + PciExpress.DeviceControl + 1, AccessWidth.Byte, 0x80u)]
    [InlineData(Advanced + AdvancedFeatures.Control, AccessWidth.Byte, 1u)]
    [InlineData(Advanced + AdvancedFeatures.Control, AccessWidth.Word, 1u)]
    public void A_function_level_reset_takes_everything_away_before_it_reaches_the_device_and_gives_the_registers_their_first_values(
        int register, AccessWidth width, uint value)
    {
        var first = Snapshot(new Guest(Device().Build()));
        using var guest = Started(Device());

        guest.Write(register, width, value);

        Assert.Equal(
            [
                "BAR0.unmap 0 2000", "map.remove Memory", "msix.disable", "config.write 004 2 0",
                $"config.write {register:x3} {(int)width} {value:x}", "config.write 004 2 0", "intx.enable",
            ],
            guest.Log.Lines);
        Assert.Equal(first, Snapshot(guest));
        AssertTableIsMasked(guest);
    }

    [Fact]
    public void Coming_back_from_D3hot_resets_a_function_that_does_not_keep_its_state()
    {
        var first = Snapshot(new Guest(Device().Build()));
        using var guest = Started(Device());
        guest.Write16(Power + PowerManagement.ControlStatus, PowerManagement.D3Hot);
        guest.Log.Clear();

        guest.Write16(Power + PowerManagement.ControlStatus, 0);

        Assert.Equal(
            ["config.write 004 2 0", "config.write 044 1 0", "config.write 004 2 0", "msix.disable", "intx.enable"], guest.Log.Lines);
        Assert.Equal(first, Snapshot(guest));
        AssertTableIsMasked(guest);
    }

    [Fact]
    public void A_function_that_sleeps_is_woken_before_its_interrupts_go_when_it_is_taken_away()
    {
        using var guest = Started(Device());
        guest.Write16(Power + PowerManagement.ControlStatus, PowerManagement.D3Hot);
        guest.Log.Clear();

        guest.Function.Dispose();

        Assert.Equal(["config.write 004 2 0", "config.write 044 1 0", "config.write 004 2 0", "msix.disable"], guest.Log.Lines);
    }

    [Fact]
    public void A_function_that_sleeps_is_woken_before_its_interrupts_go_when_a_guest_resets_it()
    {
        using var guest = Started(Device());
        guest.Write16(Power + PowerManagement.ControlStatus, PowerManagement.D3Hot);
        guest.Log.Clear();

        guest.Write16(Express + PciExpress.DeviceControl, PciExpress.InitiateFlr);

        Assert.Equal(
            [
                "config.write 004 2 0", "config.write 044 1 0", "config.write 004 2 0", "msix.disable", "config.write 004 2 0",
                "config.write 068 2 8000", "config.write 004 2 0", "intx.enable",
            ],
            guest.Log.Lines);
    }

    [Fact]
    public void Coming_back_from_D3hot_resets_nothing_where_the_function_keeps_its_state()
    {
        using var guest = Started(Device().Set16(Power + PowerManagement.ControlStatus, PowerManagement.NoSoftReset));
        var before = Snapshot(guest);

        guest.Write16(Power + PowerManagement.ControlStatus, PowerManagement.D3Hot);
        guest.Write16(Power + PowerManagement.ControlStatus, 0);

        Assert.Equal(before, Snapshot(guest));
        Assert.Equal(Place, guest.Window(0).Address);
        Assert.NotNull(guest.Host.Msix![0]);
    }

    [Theory]
    [InlineData(0x8000_0000u, (byte)0)]
    [InlineData(0u, AdvancedFeatures.FlrCapable)]
    public void The_bits_are_nothing_where_the_capability_says_that_there_is_no_reset(uint expressCapabilities, byte advancedCapabilities)
    {
        using var guest = Started(Device()
            .Set32(Express + PciExpress.DeviceCapabilities, expressCapabilities)
            .Set8(Advanced + AdvancedFeatures.Capabilities, advancedCapabilities));

        guest.Write16(Express + PciExpress.DeviceControl, PciExpress.InitiateFlr);
        guest.Write8(Advanced + AdvancedFeatures.Control, AdvancedFeatures.InitiateFlr);

        Assert.Equal(Place, guest.Window(0).Address);
        Assert.NotNull(guest.Host.Msix![0]);
    }

    [Fact]
    public void Writes_beside_the_bits_reset_nothing()
    {
        using var guest = Started(Device());

        guest.Write16(Express + PciExpress.DeviceControl, 0x7FFF);
        guest.Write8(Express + PciExpress.DeviceControl, 0x80);
        guest.Write8(Advanced + AdvancedFeatures.Control, 0xFE);
        guest.Write16(Power + PowerManagement.ControlStatus, 0);

        Assert.Equal(Place, guest.Window(0).Address);
        Assert.NotNull(guest.Host.Msix![0]);
    }

    [Fact]
    public void After_its_own_reset_a_guest_sets_the_function_up_again()
    {
        using var guest = Started(Device());
        guest.Write16(Express + PciExpress.DeviceControl, PciExpress.InitiateFlr);

        Start(guest);

        Assert.Equal(Place, guest.Window(0).Address);
        Assert.Equal((ushort)Running, guest.Read16(Header.Command));
        guest.Host.Msix!.Fire(0);
        Assert.Single(guest.Host.Msix.Delivered);
    }

    private static ConfigBuilder Device() => new ConfigBuilder()
        .Bar(0, 0, 0x4000)
        .Power(Power)
        .Set16(Power + PowerManagement.ControlStatus, 0)
        .Msix(Table, 4, 0, 0x2000, 0x3000)
        .Capability(Express, CapabilityId.PciExpress)
        .Set16(Express + PciExpress.Capabilities, 2)
        .Set32(Express + PciExpress.DeviceCapabilities, PciExpress.FlrCapable)
        .Capability(Advanced, CapabilityId.AdvancedFeatures, 6, AdvancedFeatures.TransactionsPending | AdvancedFeatures.FlrCapable);

    private static Guest Started(ConfigBuilder device)
    {
        var guest = new Guest(device.Build());
        Start(guest);
        guest.Log.Clear();
        return guest;
    }

    private static void Start(Guest guest)
    {
        guest.PlaceBar(0, Place);
        guest.Command(Running);
        guest.Map.Write(AddressSpaceKind.Memory, Place + 0x2000, AccessWidth.Qword, 0xFEE0_0000);
        guest.Map.Write(AddressSpaceKind.Memory, Place + 0x200C, AccessWidth.Dword, 0);
        guest.Write16(Table + Msix.Control, Msix.Enable);
    }

    private static void AssertTableIsMasked(Guest guest)
    {
        guest.PlaceBar(0, Place);
        guest.Command(CommandBits.Memory);
        Assert.Equal(0ul, guest.Map.Read(AddressSpaceKind.Memory, Place + 0x2000, AccessWidth.Qword));
        Assert.Equal(1ul, guest.Map.Read(AddressSpaceKind.Memory, Place + 0x200C, AccessWidth.Dword));
        guest.Write16(Table + Msix.Control, Msix.Enable);
        Assert.Null(guest.Host.Msix![0]);
    }

    private static uint[] Snapshot(Guest guest) => [.. Enumerable.Range(0, guest.Host.Config.Size / 4).Select(at => guest.Read32(4 * at))];
}
