using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Tests;

/// <summary>The expansion ROM: the device's own, none, or another one.</summary>
public sealed class RomTests
{
    private const uint At = 0xC010_0000;

    [Fact]
    public void Hidden_it_sizes_as_nothing()
    {
        using var guest = new Guest("e1000e", options: new AssignedOptions { HideRom = true });
        guest.Write32(Header.RomBar, 0xFFFF_FFFF);

        Assert.Equal(0u, guest.Read32(Header.RomBar));
    }

    [Fact]
    public void Another_content_is_read_where_the_guest_places_it_and_what_it_does_not_fill_reads_as_erased()
    {
        byte[] content = [0x55, 0xAA, .. Enumerable.Range(0, 3000).Select(static i => (byte)i)];
        using var guest = new Guest("edu", options: new AssignedOptions { Rom = new RomImage(content) });
        guest.Write32(Header.RomBar, 0xFFFF_FFFE);
        Assert.Equal(0xFFFF_F000u, guest.Read32(Header.RomBar));

        guest.Write32(Header.RomBar, At | 1);
        guest.Command(CommandBits.Memory);

        Assert.Equal(0xAA55ul, guest.Map.Read(AddressSpaceKind.Memory, At, AccessWidth.Word));
        Assert.Equal(0xFFFF_FFFFul, guest.Map.Read(AddressSpaceKind.Memory, At + 0xFFC, AccessWidth.Dword));
        guest.Map.Write(AddressSpaceKind.Memory, At, AccessWidth.Word, 0);
        Assert.Equal(0xAA55ul, guest.Map.Read(AddressSpaceKind.Memory, At, AccessWidth.Word));
    }

    [Fact]
    public void One_that_is_known_to_do_harm_is_left_out_and_told_unless_there_is_another()
    {
        var device = new ConfigBuilder().Set16(Header.VendorId, 0x14E4).Set16(Header.DeviceId, 0x168E).Rom(0x8_0000).Build();
        using var guest = new Guest(device);
        guest.Write32(Header.RomBar, 0xFFFF_FFFE);
        Assert.Equal(0u, guest.Read32(Header.RomBar));
        Assert.Contains("rom=FILE", Assert.Single(guest.Function.Flaws), StringComparison.Ordinal);

        using var other = new Guest(device, options: new AssignedOptions { Rom = new RomImage([0x55, 0xAA]) });
        other.Write32(Header.RomBar, 0xFFFF_FFFE);
        Assert.NotEqual(0u, other.Read32(Header.RomBar));
        Assert.Empty(other.Function.Flaws);

        using var without = new Guest(device, options: new AssignedOptions { HideRom = true });
        Assert.Empty(without.Function.Flaws);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 0x55 })]
    [InlineData(new byte[] { 0xAA, 0x55, 0, 0 })]
    public void What_is_no_rom_is_refused(byte[] content) =>
        Assert.Equal(
            "not an expansion ROM: it does not begin with 55h AAh",
            Assert.Throws<InvalidDataException>(() => new RomImage(content)).Message);
}
