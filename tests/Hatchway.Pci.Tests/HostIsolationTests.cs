using Hatchway.Pci.Address;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

/// <summary>The parts of config space where a guest's writes must never reach the host function.</summary>
public sealed class HostIsolationTests
{
    public static TheoryData<string> Devices => RecordedFunction.All;

    [Theory]
    [MemberData(nameof(Devices))]
    public void No_write_at_any_place_reaches_the_hosts_BARs_MSI_or_MSI_X(string device)
    {
        using var guest = new Guest(device);
        var forbidden = Forbidden(guest);
        foreach (var width in (int[])[1, 2, 4])
        {
            for (var at = 0; at < guest.Host.Config.Size; at += width)
                guest.Write(at, (AccessWidth)width, (uint)((AccessWidth)width).AllOnes());
        }
        AssertUntouched(guest, forbidden);
    }

    [Fact]
    public void No_random_write_to_any_chains_reaches_what_is_the_hosts() => Properties.Hold(Properties.Seeds, static seed =>
    {
        var random = new Random(seed);
        using var guest = new Guest(RandomChains.Valid(random));
        var forbidden = Forbidden(guest);
        for (var i = 0; i < 300; i++)
        {
            var width = 1 << random.Next(3);
            var at = random.Next((random.Next(4) == 0 ? 0x1000 : 0x100) / width) * width;
            guest.Write(at, (AccessWidth)width, (uint)random.NextInt64(1L << (8 * width)));
        }
        AssertUntouched(guest, forbidden);
    });

    [Fact]
    public void What_a_guest_reads_of_MSI_and_MSI_X_never_is_the_hosts_address_or_data()
    {
        var host = new ConfigBuilder().Bar(0, 0, 0x4000).Msi(0x50, 2, masking: true).Msix(0x70, 4, 0, 0x1000, 0x2000).Build();
        host.Config.AsSpan(0x54, 20).Fill(0xA5);
        host.Config[0x52] |= 0x71;
        host.Config[0x73] |= 0xC0;
        using var guest = new Guest(host);
        Assert.Equal(0, guest.Read16(0x52) & 0x71);
        Assert.All(Enumerable.Range(0x54, 20), at => Assert.Equal(0, guest.Read8(at)));
        Assert.Equal(3, guest.Read16(0x72));
    }

    [Theory]
    [InlineData(0, AccessWidth.Word, 0x0005u, "config.write 068 2 7445")]
    [InlineData(0, AccessWidth.Byte, 0x05u, "config.write 068 1 45")]
    [InlineData(1, AccessWidth.Byte, 0x00u, "config.write 069 1 74")]
    public void What_the_host_has_on_of_a_link_stays_on_whatever_a_guest_writes_and_a_guest_reads_it_as_off(
        int byteOfIt, AccessWidth width, uint value, string written)
    {
        const int Express = 0x40;
        var host = new ConfigBuilder().Capability(Express, CapabilityId.PciExpress, PciExpress.LengthV2)
            .Set16(Express + PciExpress.Capabilities, 2).Set16(Express + PciExpress.DeviceControl2, 0x7440).Build();
        using var guest = new Guest(host);
        guest.Log.Clear();
        Assert.Equal(0, guest.Read16(Express + PciExpress.DeviceControl2));

        guest.Write(Express + PciExpress.DeviceControl2 + byteOfIt, width, value);

        Assert.Equal([written], guest.Log.Of("config"));
    }

    [Fact]
    public void A_second_capability_of_a_mediated_kind_is_hidden()
    {
        var host = new ConfigBuilder(256).Bar(0, 0, 0x4000)
            .Msi(0x50, 0).Power(0x60).Msix(0x70, 4, 0, 0x1000, 0x2000)
            .Msi(0x80, 0).Power(0xA0).Msix(0xB0, 4, 0, 0x1000, 0x2000).Msi(0xFC, 0).Build();
        using var guest = new Guest(host);
        Assert.Equal([(5, 0x50), (1, 0x60), (0x11, 0x70)], guest.Capabilities());
        guest.Write32(0x84, 0xFEE0_0000);
        guest.Write16(0xA4, 3);
        Assert.Empty(guest.Host.Config.Writes);
    }

    [Fact]
    public void Noise_for_a_config_space_is_shown_to_a_guest_without_an_exception() => Properties.Hold(Properties.Seeds, static seed =>
    {
        var random = new Random(seed);
        var noise = RandomChains.Noise(random, random.Next(2) == 0 ? 256 : 4096);
        using var guest = new Guest(new RecordedFunction("noise", noise, new Dictionary<BarIndex, ulong>()));
        for (var at = 0; at < noise.Length; at += 4)
        {
            guest.Write32(at, (uint)random.Next());
            guest.Read32(at);
        }
        guest.Capabilities();
        guest.ExtendedCapabilities();
    }, 500);

    // The bytes that no write may reach, each with a mask of its bits.
    private static Dictionary<int, byte> Forbidden(Guest guest)
    {
        var forbidden = new Dictionary<int, byte>();
        void Add(int start, int length)
        {
            for (var i = 0; i < length; i++)
                forbidden[start + i] = 0xFF;
        }

        Add(Header.HeaderType, 1);
        Add(Header.Bar0, 24);
        Add(Header.RomBar, 4);
        Add(Header.CapabilitiesPointer, 1);
        Add(Header.InterruptLine, 2);
        var chains = CapabilityWalker.Walk(guest.Host.Config);
        foreach (var capability in chains.Standard)
        {
            Add(capability.Offset + 1, 1);
            switch ((CapabilityId)capability.Id)
            {
                case CapabilityId.Msi or CapabilityId.Msix or CapabilityId.PciX or CapabilityId.EnhancedAllocation:
                    Add(capability.Offset, capability.Length);
                    break;
                case CapabilityId.PowerManagement:
                    // Wake-up enable and status: all except the power state is the host's.
                    forbidden[capability.Offset + PowerManagement.ControlStatus] = 0xFC;
                    Add(capability.Offset + PowerManagement.ControlStatus + 1, 1);
                    break;
                case CapabilityId.PciExpress when (guest.Host.Config.Bytes[capability.Offset + 2] & 0xF0) <= 0x10:
                    Add(capability.Offset + PciExpress.Link, 8);
                    if (capability.Length < PciExpress.LengthV2)
                        break;
                    Add(capability.Offset + PciExpress.Link2, 8);
                    // Atomic operations, latency tolerance, 10-bit tags and buffer flush/fill: what the host has enabled stays enabled.
                    var control = capability.Offset + PciExpress.DeviceControl2;
                    forbidden[control] = (byte)(0x40 & ~guest.Host.Config.Bytes[control]);
                    forbidden[control + 1] = (byte)(0x74 & ~guest.Host.Config.Bytes[control + 1]);
                    break;
                default:
                    break;
            }
        }
        foreach (var capability in chains.Extended)
        {
            if (ExtendedChainTests.Hidden.Contains(capability.Id))
                Add(capability.Offset, capability.Length);
            Add(capability.Offset, 4);
        }
        return forbidden;
    }

    private static void AssertUntouched(Guest guest, Dictionary<int, byte> forbidden)
    {
        foreach (var (at, width, value) in guest.Host.Config.Writes)
        {
            for (var i = 0; i < width; i++)
            {
                var mask = forbidden.GetValueOrDefault(at + i);
                Assert.False(mask == 0xFF || ((byte)(value >> (8 * i)) & mask) != 0, $"{value:x} of {width} bytes was written at {at:x3}h");
            }
        }
    }
}
