using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

/// <summary>Where BARs answer, and the order in which that changes.</summary>
public sealed class DecodeTests
{
    private const ulong Low = 0xD000_0000;
    private const ulong High = 0x20_0000_0000;
    private const CommandBits Memory = CommandBits.Memory | CommandBits.BusMaster;

    [Fact]
    public void A_BAR_answers_from_when_decoding_is_on_until_it_is_off()
    {
        using var guest = new Guest("edu");
        guest.PlaceBar(0, Low);
        Assert.Equal(uint.MaxValue, Memory32(guest, Low));
        guest.Command(Memory);
        Assert.Equal((uint)FakeRegion.Pattern(0x80, AccessWidth.Dword), Memory32(guest, Low + 0x80));
        guest.Command(CommandBits.BusMaster);
        Assert.Equal(uint.MaxValue, Memory32(guest, Low + 0x80));
        Assert.Equal(0, guest.Map.Count);
    }

    [Fact]
    public void The_host_decodes_before_a_BAR_is_mapped_and_still_does_when_the_mapping_goes()
    {
        using var guest = new Guest("edu");
        guest.PlaceBar(0, Low);
        guest.Log.Clear();
        guest.Command(Memory);
        guest.Command(CommandBits.None);
        Assert.Equal(
            [
                "config.write 004 2 6", "map.add Memory d0000000 100000", "BAR0.map 0 100000 at d0000000",
                "BAR0.unmap 0 100000", "map.remove Memory", "config.write 004 2 0",
            ],
            guest.Log.Lines);
    }

    [Fact]
    public void A_function_with_memory_and_IO_decodes_each_by_its_own_bit()
    {
        using var guest = new Guest("rtl8139");
        guest.PlaceBar(0, 0xC000);
        guest.PlaceBar(1, Low);
        guest.Command(CommandBits.Io);
        Assert.Equal(FakeRegion.Pattern(0x37), guest.Map.Read(AddressSpaceKind.Io, 0xC037, AccessWidth.Byte));
        Assert.Equal(0xFFul, guest.Map.Read(AddressSpaceKind.Memory, Low, AccessWidth.Byte));
        guest.Command(CommandBits.Memory);
        Assert.Equal(0xFFul, guest.Map.Read(AddressSpaceKind.Io, 0xC037, AccessWidth.Byte));
        Assert.Equal(FakeRegion.Pattern(0), guest.Map.Read(AddressSpaceKind.Memory, Low, AccessWidth.Byte));
    }

    [Fact]
    public void A_write_that_changes_nothing_of_decoding_leaves_the_mapping_alone()
    {
        using var guest = Decoding("edu", 0, Low);
        guest.Log.Clear();
        guest.PlaceBar(0, Low);
        guest.Command(Memory | CommandBits.IntxDisable);
        guest.Write32(Header.Command, (uint)Memory);
        Assert.Empty(guest.Log.Of("BAR", "map"));
        Assert.Single(guest.Host[0].Mapped);
    }

    [Theory]
    [InlineData(0xD010_0000)]
    [InlineData(0xC000_0000)]
    [InlineData(0xFEB0_0000)]
    public void A_BAR_that_moves_while_it_decodes_answers_at_the_new_place_only(ulong place)
    {
        using var guest = Decoding("edu", 0, Low);
        guest.Log.Clear();
        guest.PlaceBar(0, place);
        Assert.Equal(
            ["BAR0.unmap 0 100000", "map.remove Memory", $"map.add Memory {place:x} 100000", $"BAR0.map 0 100000 at {place:x}"],
            guest.Log.Lines);
        Assert.Equal(uint.MaxValue, Memory32(guest, Low));
        Assert.Equal((uint)FakeRegion.Pattern(0, AccessWidth.Dword), Memory32(guest, place));
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(0x0010_0000ul)]
    [InlineData(0xBFF0_0000ul)]
    [InlineData(0xFEC0_0000ul)]
    [InlineData(0xFFF0_0000ul)]
    public void A_BAR_outside_the_bridges_windows_answers_nowhere_and_can_come_back(ulong place)
    {
        using var guest = Decoding("edu", 0, Low);
        guest.PlaceBar(0, place);
        Assert.Equal(0, guest.Map.Count);
        Assert.Empty(guest.Host[0].Mapped);
        Assert.Equal(uint.MaxValue, Memory32(guest, Low));
        Assert.Equal(uint.MaxValue, Memory32(guest, place));
        Assert.Equal((uint)place, guest.Read32(Header.Bar0));
        guest.PlaceBar(0, Low);
        Assert.Equal((uint)FakeRegion.Pattern(0, AccessWidth.Dword), Memory32(guest, Low));
    }

    [Fact]
    public void A_BAR_can_be_sized_while_it_decodes()
    {
        using var guest = Decoding("nvme", 0, High);
        guest.Write32(Header.Bar0, uint.MaxValue);
        guest.Write32(Header.Bar0 + 4, uint.MaxValue);
        Assert.Equal(0, guest.Map.Count);
        guest.PlaceBar(0, High);
        Assert.Equal((uint)FakeRegion.Pattern(8, AccessWidth.Dword), Memory32(guest, High + 8));
    }

    [Theory]
    [InlineData(0xC0_0000_0000ul)]
    [InlineData(0x1_0000_0000ul)]
    [InlineData(0xFFFF_C000ul)]
    [InlineData(0xFFFF_FFFF_FFFF_C000ul)]
    [InlineData(0x8000_0000_0000_0000ul)]
    public void A_64_bit_BAR_at_any_address_does_no_harm(ulong place)
    {
        using var guest = Decoding("nvme", 0, High);
        guest.PlaceBar(0, place);
        Assert.Equal(uint.MaxValue, Memory32(guest, High));
        Assert.Equal(uint.MaxValue, Memory32(guest, place));
        Assert.Equal(0, guest.Map.Count);
    }

    [Fact]
    public void A_64_bit_BAR_moves_across_4_GiB_by_its_upper_register()
    {
        using var guest = Decoding("nvme", 0, 0xD000_0000);
        guest.Write32(Header.Bar0 + 4, 0x20);
        Assert.Equal(uint.MaxValue, Memory32(guest, 0xD000_0000));
        Assert.Equal((uint)FakeRegion.Pattern(0, AccessWidth.Dword), Memory32(guest, 0x20_D000_0000));
        guest.Write32(Header.Bar0 + 4, 0);
        Assert.Equal((uint)FakeRegion.Pattern(0, AccessWidth.Dword), Memory32(guest, 0xD000_0000));
    }

    [Fact]
    public void The_ROM_answers_with_its_own_enable_bit_and_memory_decoding_only()
    {
        using var guest = new Guest("e1000");
        guest.PlaceBar(6, Low | BarBits.RomEnable);
        Assert.Equal(uint.MaxValue, Memory32(guest, Low));
        guest.Command(Memory);
        Assert.Equal((uint)FakeRegion.Pattern(0, AccessWidth.Dword), Memory32(guest, Low));
        guest.PlaceBar(6, Low);
        Assert.Equal(uint.MaxValue, Memory32(guest, Low));
    }

    [Fact]
    public void A_BAR_of_a_fraction_of_a_page_is_mapped_only_where_a_page_begins()
    {
        using var guest = Decoding("sdhci-pci", 0, Low);
        Assert.Equal(new FakeMapping(guest.Host[0], 0, 0x1000, Low), Assert.Single(guest.Host[0].Mapped));
        guest.PlaceBar(0, Low + 0x100);
        Assert.Empty(guest.Host[0].Mapped);
        Assert.Equal((uint)FakeRegion.Pattern(0x24, AccessWidth.Dword), Memory32(guest, Low + 0x124));
        Assert.Equal(uint.MaxValue, Memory32(guest, Low + 0x24));
    }

    [Fact]
    public void The_pages_of_the_MSI_X_table_are_never_mapped()
    {
        using var guest = Decoding("megasas-gen2", 1, High);
        Assert.Equal(
            [new FakeMapping(guest.Host[1], 0, 0x2000, High)],
            guest.Host[1].Mapped.OrderBy(static mapping => mapping.Offset).Take(1));
        Assert.DoesNotContain(guest.Host[1].Mapped, static mapping => mapping.Offset <= 0x2000 && 0x2000 < mapping.Offset + mapping.Length);
        Assert.DoesNotContain(guest.Host[1].Mapped, static mapping => mapping.Offset <= 0x3800 && 0x3800 < mapping.Offset + mapping.Length);
    }

    [Fact]
    public void Two_mappable_areas_that_touch_are_mapped_one_by_one()
    {
        using var guest = new Guest("edu", static host => host.Replace(0, new FakeRegion(
            "BAR0", 0x10_0000, new CallLog(), new MappableArea(0, 0x8000), new MappableArea(0x8000, 0x4000))));
        guest.PlaceBar(0, Low);
        guest.Command(Memory);
        Assert.Equal(
            [(0ul, 0x8000ul), (0x8000ul, 0x4000ul)], guest.Host[0].Mapped.Select(static mapping => (mapping.Offset, mapping.Length)));
    }

    [Fact]
    public void D3hot_takes_BARs_away_before_the_device_sleeps_and_D0_brings_them_back_after_it_wakes()
    {
        using var guest = Sleeper(false);
        guest.Log.Clear();
        guest.Write16(0x44, 3);
        Assert.Equal(uint.MaxValue, Memory32(guest, Low));
        Assert.Equal(3, guest.Read16(0x44) & 3);
        guest.Write16(0x44, 0);
        Assert.Equal(
            [
                "BAR0.unmap 0 4000", "map.remove Memory", "config.write 044 1 3",
                "config.write 044 1 0", "map.add Memory d0000000 4000", "BAR0.map 0 4000 at d0000000",
            ],
            guest.Log.Lines);
        Assert.Equal((uint)FakeRegion.Pattern(0, AccessWidth.Dword), Memory32(guest, Low));
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public void D1_takes_effect_only_on_a_device_that_has_it(bool hasD1, int state)
    {
        using var guest = Sleeper(hasD1);
        guest.Write16(0x44, 1);
        Assert.Equal(state, guest.Read16(0x44) & 3);
        Assert.Equal(state == 0 ? (uint)FakeRegion.Pattern(0, AccessWidth.Dword) : uint.MaxValue, Memory32(guest, Low));
    }

    [Fact]
    public void A_guest_sees_no_way_to_be_woken_up()
    {
        using var guest = Sleeper(false);
        Assert.Equal(0x0003, guest.Read16(0x42));
        Assert.Equal(0x0008, guest.Read16(0x44));
        guest.Write16(0x44, 0x8103);
        Assert.Equal("config.write 044 1 3", guest.Log.Of("config")[^1]);
        Assert.Equal(0x000B, guest.Read16(0x44));
    }

    [Fact]
    public void A_function_that_is_taken_away_is_an_empty_slot_that_a_guest_may_go_on_writing_to()
    {
        using var guest = Decoding("nvme", 0, High);
        guest.Write16(guest.Find(CapabilityId.Msix) + 2, Msix.Enable);
        guest.Function.Dispose();
        Assert.Equal(0, guest.Map.Count);
        Assert.Empty(guest.Host[0].Mapped);
        Assert.Equal(0, guest.Host.Msix!.Enabled);
        guest.Log.Clear();
        guest.Command(CommandBits.None);
        guest.Command(Memory);
        guest.Write16(0x42, Msix.Enable);
        Assert.Equal(uint.MaxValue, guest.Read32(0));
        Assert.Equal(0xFFFF, guest.Read16(0x42));
        Assert.Empty(guest.Log.Lines);
    }

    [Fact]
    public void No_sequence_of_writes_leaves_a_mapping_that_decoding_does_not_cover() => Properties.Hold(Properties.Seeds, static seed =>
    {
        var random = new Random(seed);
        using var guest = new Guest(new ConfigBuilder().Bar(0, 0, 0x4000).Bar(2, BarBits.Type64, 0x2000).Bar(4, BarBits.Io, 0x40)
            .Power(0x40).Msix(0x50, 8, 2, 0, 0x1000).Build());
        ulong[] places = [0, Low, Low + 0x4000, 0xFFFF_C000, 0x1_0000_0000, High, 0xC000, ulong.MaxValue];
        for (var i = 0; i < 60; i++)
        {
            switch (random.Next(4))
            {
                case 0:
                    guest.Command((CommandBits)random.Next(8));
                    break;
                case 1:
                    guest.Write16(0x44, (uint)random.Next(4));
                    break;
                default:
                    guest.PlaceBar(2 * random.Next(3), places[random.Next(places.Length)]);
                    break;
            }
            AssertCovered(guest);
        }
    });

    private static void AssertCovered(Guest guest)
    {
        var decodes = (guest.Read16(Header.Command) & 2) != 0 && (guest.Read16(0x44) & 3) == 0;
        foreach (var mapping in guest.Host.Regions.SelectMany(static region => region.Mapped))
        {
            Assert.True(decodes);
            var bar = mapping.Region == guest.Host[0] ? 0 : 2;
            var low = guest.Read32(Header.Bar0 + (4 * bar)) & ~0xFul;
            var place = bar == 0 ? low : low | ((ulong)guest.Read32(Header.Bar0 + 12) << 32);
            Assert.Equal(place + mapping.Offset, mapping.GuestPhysical);
            Assert.Equal(place, guest.Window(bar).Address);
        }
        Assert.Equal(guest.Function.Windows.Count(static window => window.Address is not null), guest.Map.Count);
    }

    private static Guest Decoding(string device, int bar, ulong place)
    {
        var guest = new Guest(device);
        guest.PlaceBar(bar, place);
        guest.Command(Memory);
        return guest;
    }

    private static Guest Sleeper(bool hasD1)
    {
        var guest = new Guest(new ConfigBuilder().Bar(0, 0, 0x4000).Power(0x40, hasD1).Build());
        guest.PlaceBar(0, Low);
        guest.Command(Memory);
        return guest;
    }

    private static uint Memory32(Guest guest, ulong address) => (uint)guest.Map.Read(AddressSpaceKind.Memory, address, AccessWidth.Dword);
}
