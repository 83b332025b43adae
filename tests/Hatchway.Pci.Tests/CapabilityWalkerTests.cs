using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

public sealed class CapabilityWalkerTests
{
    [Theory]
    [InlineData("ac97", "", "")]
    [InlineData("edu", "05@40+14", "")]
    [InlineData("i82550", "01@dc+8", "")]
    [InlineData("ich9-ahci", "05@80+14 12@a8+88", "")]
    [InlineData("mptsas1068", "05@40+14", "")]
    [InlineData("nvme", "11@40+12 10@80+60 01@60+8", "")]
    [InlineData("qemu-xhci", "11@90+12 10@a0+60", "")]
    [InlineData("megasas-gen2", "10@a0+60 11@68+12 05@50+14", "")]
    [InlineData("pvscsi", "10@40+60 05@7c+14", "")]
    [InlineData("e1000e", "01@c8+8 05@d0+14 10@e0+20 11@a0+12", "0001@100+64 0003@140+12")]
    [InlineData("vmxnet3", "10@48+60 11@9c+12 05@84+14", "0003@100+12")]
    [InlineData("nvme-sriov", "11@40+12 10@80+60 01@60+8", "000e@100+8 0010@120+64")]
    [InlineData("virtio-net", "11@dc+12 09@c8+20 09@b4+20 09@a4+16 09@94+16 09@84+16 01@7c+8 10@40+60", "0001@100+72 000f@148+8")]
    public void The_chains_of_a_recorded_device_are_found_in_order(string device, string standard, string extended)
    {
        var chains = Walk(RecordedFunction.Load(device));
        Assert.Equal(standard, string.Join(' ', chains.Standard.Select(static c => $"{c.Id:x2}@{c.Offset:x2}+{c.Length}")));
        Assert.Equal(extended, string.Join(' ', chains.Extended.Select(static c => $"{c.Id:x4}@{c.Offset:x3}+{c.Length}")));
        Assert.Empty(chains.Warnings);
    }

    [Fact]
    public void A_standard_chain_that_loops_is_cut_with_a_warning()
    {
        var chains = Walk(new ConfigBuilder(256).Power(0x40).Msi(0x50, 0).Set8(0x51, 0x40));
        Assert.Equal([0x40, 0x50], chains.Standard.Select(static c => (int)c.Offset));
        Assert.Contains("loops back to 40h", Assert.Single(chains.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_capability_that_points_at_itself_is_found_once()
    {
        var chains = Walk(new ConfigBuilder(256).Power(0x40).Set8(0x41, 0x40));
        Assert.Single(chains.Standard);
        Assert.Single(chains.Warnings);
    }

    [Fact]
    public void A_pointer_into_the_header_cuts_the_chain_with_a_warning()
    {
        var chains = Walk(new ConfigBuilder(256).Power(0x40).Set8(0x41, 0x3C));
        Assert.Single(chains.Standard);
        Assert.Contains("3ch points into the header", Assert.Single(chains.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_capability_of_all_ones_cuts_the_chain_with_a_warning()
    {
        var chains = Walk(new ConfigBuilder(256).Power(0x40).Set8(0x41, 0x80).Set32(0x80, uint.MaxValue));
        Assert.Single(chains.Standard);
        Assert.Contains("80h reads as all ones", Assert.Single(chains.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void The_reserved_bits_of_a_pointer_are_masked()
    {
        var chains = Walk(new ConfigBuilder(256).Power(0x40).Capability(0x50, CapabilityId.Msi).Set8(0x34, 0x43).Set8(0x41, 0x52));
        Assert.Equal([0x40, 0x50], chains.Standard.Select(static c => (int)c.Offset));
        Assert.Empty(chains.Warnings);
    }

    [Fact]
    public void Without_the_status_bit_there_is_no_list_whatever_the_pointer_says() =>
        Assert.Empty(Walk(new ConfigBuilder(256).Power(0x40).Set16(Header.Status, 0)).Standard);

    [Fact]
    public void A_pointer_into_the_registers_of_a_capability_cuts_the_chain_with_a_warning()
    {
        var chains = Walk(new ConfigBuilder(256).Msi(0x50, 0, masking: true).Capability(0x58, CapabilityId.VitalProductData));
        Assert.Equal(new Capability(5, 0x50, 24), Assert.Single(chains.Standard));
        Assert.Contains("58h points into capability 05h at 50h", Assert.Single(chains.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_capability_that_runs_into_an_earlier_one_is_cut_short_with_a_warning()
    {
        var chains = Walk(new ConfigBuilder(256).Power(0x58).Msi(0x50, 0));
        Assert.Equal([new Capability(1, 0x58, 8), new Capability(5, 0x50, 8)], chains.Standard);
        Assert.Contains("05h at 50h has 14 bytes, of which 8 are its own", Assert.Single(chains.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_vendors_own_length_gives_way_to_the_next_capability()
    {
        var chains = Walk(new ConfigBuilder(256).Capability(0x50, CapabilityId.VendorSpecific, 0x40).Power(0x60));
        Assert.Equal([new Capability(9, 0x50, 16), new Capability(1, 0x60, 8)], chains.Standard);
        Assert.Single(chains.Warnings);
    }

    [Fact]
    public void A_capability_that_runs_beyond_conventional_space_is_cut_short_with_a_warning()
    {
        var chains = Walk(new ConfigBuilder().Msi(0xFC, 0));
        Assert.Equal(new Capability(5, 0xFC, 4), Assert.Single(chains.Standard));
        Assert.Single(chains.Warnings);
    }

    [Theory]
    [InlineData(0x02, 0x3C)]
    [InlineData(0x92, 0x3C)]
    [InlineData(0x01, 0x14)]
    [InlineData(0x11, 0x14)]
    [InlineData(0x91, 0x0C)]
    public void A_PCI_Express_capability_is_as_long_as_its_version_and_type_say(ushort register, int length) =>
        Assert.Equal(length, Walk(new ConfigBuilder().Capability(0x40, CapabilityId.PciExpress).Set16(0x42, register)).Standard[0].Length);

    [Theory]
    [InlineData(0x0000, 8)]
    [InlineData(0x1000, 24)]
    public void A_PCI_X_capability_is_longer_with_error_correction(ushort command, int length) =>
        Assert.Equal(length, Walk(new ConfigBuilder(256).Capability(0x40, CapabilityId.PciX).Set16(0x42, command)).Standard[0].Length);

    [Fact]
    public void An_extended_chain_that_loops_is_cut_with_a_warning()
    {
        var chains = Walk(new ConfigBuilder()
            .Extended(0x100, (ExtendedCapabilityId)1).Extended(0x140, (ExtendedCapabilityId)3).Set8(0x143, 0x10));
        Assert.Equal([0x100, 0x140], chains.Extended.Select(static c => (int)c.Offset));
        Assert.Contains("loops back to 100h", Assert.Single(chains.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x0F, "0f0h is outside")]
    [InlineData(0x80, "800h points at no capability")]
    public void An_extended_pointer_to_nowhere_cuts_the_chain_with_a_warning(byte next, string warning)
    {
        var chains = Walk(new ConfigBuilder().Extended(0x100, (ExtendedCapabilityId)1).Set8(0x103, next));
        Assert.Single(chains.Extended);
        Assert.Contains(warning, Assert.Single(chains.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(uint.MaxValue)]
    public void An_extended_space_without_capabilities_needs_no_warning(uint first)
    {
        var chains = Walk(new ConfigBuilder().Set32(0x100, first));
        Assert.Empty(chains.Extended);
        Assert.Empty(chains.Warnings);
    }

    [Fact]
    public void Any_bytes_give_chains_that_end_and_capabilities_that_do_not_overlap() => Properties.Hold(Properties.Seeds, static seed =>
    {
        var random = new Random(seed);
        var size = random.Next(2) == 0 ? Header.ConventionalSize : Header.ExpressSize;
        var chains = Walk(new RecordedFunction("noise", RandomChains.Noise(random, size), new Dictionary<Address.BarIndex, ulong>()));
        Capability[] all = [.. chains.Standard, .. chains.Extended];
        Array.Sort(all, static (a, b) => a.Offset.CompareTo(b.Offset));
        for (var i = 0; i < all.Length; i++)
        {
            var end = i + 1 < all.Length ? all[i + 1].Offset : size;
            Assert.InRange(all[i].Length, 2, end - all[i].Offset);
        }
        Assert.All(chains.Standard, static c => Assert.InRange(c.Offset + c.Length, Header.End + 2, Header.ConventionalSize));
        Assert.All(chains.Extended, static c => Assert.True(c.IsExtended));
    }, 2000);

    private static CapabilityChains Walk(ConfigBuilder builder) => Walk(builder.Build());

    private static CapabilityChains Walk(RecordedFunction function) =>
        CapabilityWalker.Walk(new FakeConfigSpace(function.Config, new CallLog()));
}
