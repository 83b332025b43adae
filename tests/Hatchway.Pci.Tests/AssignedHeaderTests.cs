using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Tests;

public sealed class AssignedHeaderTests
{
    public static TheoryData<string> Devices => RecordedFunction.All;

    [Theory]
    [MemberData(nameof(Devices))]
    public void Identity_is_the_devices_own(string device)
    {
        using var guest = new Guest(device);
        foreach (var at in (int[])[0x00, 0x08, 0x2C])
            Assert.Equal(BitConverter.ToUInt32(guest.Host.Config.Bytes, at), guest.Read32(at));
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void Every_BAR_is_sized_as_the_device_would_be_and_keeps_its_address(string device)
    {
        using var guest = new Guest(device);
        var regions = RecordedFunction.Load(device).Regions;
        for (var i = 0; i < 6; i++)
        {
            var at = Header.Bar0 + (4 * i);
            if (!regions.TryGetValue(new BarIndex((byte)i), out var size))
            {
                guest.Write32(at, uint.MaxValue);
                Assert.Equal(0u, guest.Read32(at));
                continue;
            }
            var flags = guest.Host.Config.Bytes[at] & (uint)((guest.Host.Config.Bytes[at] & 1) != 0 ? 3 : 15);
            Assert.Equal(flags, guest.Read32(at));
            var is64 = (flags & 7) == BarBits.Type64;
            guest.PlaceBar(i, 0x12_3456_7800);
            var before = (guest.Read32(at), is64 ? guest.Read32(at + 4) : 0);
            guest.Write32(at, uint.MaxValue);
            if (is64)
                guest.Write32(at + 4, uint.MaxValue);
            var mask = (is64 ? (ulong)guest.Read32(at + 4) << 32 : 0xFFFF_FFFF_0000_0000) | guest.Read32(at);
            Assert.Equal(size, ~(mask & ~(ulong)((flags & 1) != 0 ? 3 : 15)) + 1);
            Assert.Equal(flags, (uint)mask & ((flags & 1) != 0 ? 3u : 15u));
            guest.Write32(at, before.Item1);
            if (is64)
                guest.Write32(at + 4, before.Item2);
            Assert.Equal(before, (guest.Read32(at), is64 ? guest.Read32(at + 4) : 0));
            if (is64)
                i++;
        }
        Assert.Empty(guest.Host.Config.Writes);
    }

    [Theory]
    [InlineData("e1000e", 0xFFFC_0001)]
    [InlineData("i82550", 0xFFFE_0001)]
    [InlineData("nvme", 0)]
    public void The_ROMs_register_is_sized_with_its_enable_bit_and_without_BAR_flags(string device, uint mask)
    {
        using var guest = new Guest(device);
        Assert.Equal(0u, guest.Read32(Header.RomBar));
        guest.Write32(Header.RomBar, uint.MaxValue);
        Assert.Equal(mask, guest.Read32(Header.RomBar));
    }

    [Fact]
    public void A_BAR_can_be_sized_in_bytes_too()
    {
        using var guest = new Guest("e1000e");
        for (var i = 0; i < 4; i++)
            guest.Write8(Header.Bar0 + i, 0xFF);
        Assert.Equal(0xFFFE_0000, guest.Read32(Header.Bar0));
        guest.Write8(Header.Bar0 + 3, 0xC0);
        Assert.Equal(0xC0FE_0000, guest.Read32(Header.Bar0));
    }

    [Fact]
    public void A_64_bit_BAR_of_4_GiB_and_more_has_its_mask_in_the_upper_register_only()
    {
        using var guest = new Guest(new ConfigBuilder().Bar(2, BarBits.Type64 | BarBits.Prefetchable, 64ul << 30).Build());
        guest.Write32(Header.Bar0 + 8, uint.MaxValue);
        guest.Write32(Header.Bar0 + 12, uint.MaxValue);
        Assert.Equal(0xCu, guest.Read32(Header.Bar0 + 8));
        Assert.Equal(0xFFFF_FFF0u, guest.Read32(Header.Bar0 + 12));
    }

    [Theory]
    [InlineData(100, BarBits.Io, 0xFFFF_FF81)]
    [InlineData(2, BarBits.Io, 0xFFFF_FFFD)]
    [InlineData(1, 0, 0xFFFF_FFF0)]
    [InlineData(0x1001, BarBits.Prefetchable, 0xFFFF_E008)]
    public void A_region_of_odd_size_is_shown_in_the_next_power_of_two(ulong size, uint flags, uint mask)
    {
        using var guest = new Guest(new ConfigBuilder().Bar(0, flags, size).Build());
        guest.Write32(Header.Bar0, uint.MaxValue);
        Assert.Equal(mask, guest.Read32(Header.Bar0));
    }

    [Theory]
    [InlineData("am53c974", 0x0405)]
    [InlineData("edu", 0x0406)]
    [InlineData("lsi53c895a", 0x0407)]
    [InlineData("VGA", 0x0006)]
    public void The_command_register_has_the_bits_that_the_function_has_a_use_for(string device, uint bits)
    {
        using var guest = new Guest(device);
        Assert.Equal(0, guest.Read16(Header.Command) & 0x0407);
        guest.Write16(Header.Command, 0xFFFF);
        Assert.Equal(bits, guest.Read16(Header.Command) & 0x0407u);
        Assert.Equal(bits, BitConverter.ToUInt16(guest.Host.Config.Bytes, Header.Command) & 0x0407u);
        guest.Write16(Header.Command, 0);
        Assert.Equal(0, BitConverter.ToUInt16(guest.Host.Config.Bytes, Header.Command) & 0x0407);
    }

    [Fact]
    public void Parity_and_SERR_enable_are_the_devices_own()
    {
        using var guest = new Guest("edu");
        guest.Write16(Header.Command, 0x0140);
        Assert.Equal(0x0140, guest.Read16(Header.Command));
        Assert.Equal("config.write 004 2 140", Assert.Single(guest.Log.Of("config")));
    }

    [Fact]
    public void A_function_with_nothing_but_a_ROM_can_decode_memory()
    {
        using var guest = new Guest(new ConfigBuilder().Rom(0x10000).Build());
        guest.Write16(Header.Command, 0x0007);
        Assert.Equal(0x0006, guest.Read16(Header.Command));
    }

    [Theory]
    [InlineData(true, 3)]
    [InlineData(false, 0)]
    public void The_interrupt_pin_is_the_devices_when_the_host_can_deliver_it(bool delivers, byte pin)
    {
        using var guest = new Guest(
            new ConfigBuilder().Set8(Header.InterruptPin, 3).Build(), host => host.Intx = delivers ? host.Intx : null);
        Assert.Equal(pin, guest.Read8(Header.InterruptPin));
    }

    [Fact]
    public void The_interrupt_line_is_a_note_that_firmware_and_system_may_change_and_the_host_never_sees()
    {
        using var guest = new Guest("edu");
        Assert.Equal(0xFF, guest.Read8(Header.InterruptLine));
        guest.Function.SetInterruptLine(10);
        Assert.Equal(0x010Au, guest.Read32(Header.InterruptLine) & 0xFFFF);
        guest.Write8(Header.InterruptLine, 5);
        guest.Write8(Header.InterruptPin, 4);
        Assert.Equal(0x0105u, guest.Read32(Header.InterruptLine) & 0xFFFF);
        Assert.Empty(guest.Host.Config.Writes);
    }

    [Theory]
    [InlineData(false, 0x00)]
    [InlineData(true, 0x80)]
    public void The_multi_function_bit_is_the_guests_slots_and_not_the_hosts(bool multiFunction, byte type)
    {
        var host = new ConfigBuilder().Set8(Header.HeaderType, multiFunction ? (byte)0 : (byte)0x80).Build();
        using var guest = new Guest(host, options: new AssignedOptions { MultiFunction = multiFunction });
        Assert.Equal(type, guest.Read8(Header.HeaderType));
    }

    [Fact]
    public void Status_bits_are_cleared_on_the_device_and_the_capability_list_stays()
    {
        using var guest = new Guest("e1000e");
        guest.Write16(Header.Status, 0xF900);
        Assert.Equal("config.write 006 2 f900", Assert.Single(guest.Log.Of("config")));
        Assert.Equal(0x0010, guest.Read16(Header.Status));
    }

    [Fact]
    public void A_register_without_a_rule_is_reached_once_at_the_guests_width()
    {
        using var guest = new Guest("edu");
        guest.Write8(0x0C, 0x10);
        guest.Write16(0x80, 0xBEEF);
        guest.Write32(0x84, 0xDEAD_BEEF);
        Assert.Equal(["config.write 00c 1 10", "config.write 080 2 beef", "config.write 084 4 deadbeef"], guest.Log.Of("config"));
    }

    [Fact]
    public void A_device_that_does_not_answer_reads_as_all_ones()
    {
        using var guest = new Guest("e1000e");
        guest.Host.Config.Gone = true;
        Assert.Equal(0xFFFF_FFFFu, guest.Read32(0));
        Assert.Equal(0xFFu, guest.Read8(0x104));
    }

    [Fact]
    public void Beyond_config_spaces_end_a_read_gives_zero_and_a_write_does_nothing()
    {
        using var guest = new Guest("edu");
        Assert.Equal(0u, guest.Read32(0x100));
        guest.Write32(0x100, 1);
        guest.Write32(0xFFC, uint.MaxValue);
        Assert.Empty(guest.Host.Config.Writes);
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void Reads_by_bytes_and_words_give_the_same_as_by_dwords(string device)
    {
        using var guest = new Guest(device);
        SameAtEveryWidth(guest);
    }

    [Fact]
    public void Reads_by_bytes_and_words_give_the_same_as_by_dwords_over_any_chains() => Properties.Hold(Properties.Seeds, static seed =>
    {
        var random = new Random(seed);
        using var guest = new Guest(RandomChains.Valid(random));
        for (var i = 0; i < 50; i++)
            Scribble(guest, random);
        SameAtEveryWidth(guest);
    });

    private static void SameAtEveryWidth(Guest guest)
    {
        for (var at = 0; at < guest.Host.Config.Size; at += 4)
        {
            var dword = guest.Read32(at);
            Assert.Equal(dword, guest.Read16(at) | ((uint)guest.Read16(at + 2) << 16));
            var bytes = guest.Read8(at) | (guest.Read8(at + 1) << 8) | (guest.Read8(at + 2) << 16) | (guest.Read8(at + 3) << 24);
            Assert.Equal(dword, (uint)bytes);
        }
    }

    /// <summary>Makes one write anywhere, of any width and value, except to the power state.</summary>
    private static void Scribble(Guest guest, Random random)
    {
        var width = 1 << random.Next(3);
        var at = random.Next(0x180 / width) * width;
        guest.Write(at, (AccessWidth)width, (uint)random.NextInt64(1L << (8 * width)));
    }
}
