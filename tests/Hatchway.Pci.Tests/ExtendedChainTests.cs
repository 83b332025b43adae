using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

/// <summary>The capability chains that a guest walks: which capabilities it finds, and that the walk ends.</summary>
public sealed class ExtendedChainTests
{
    /// <summary>The ids of capabilities that a guest must not use, written down independently of the code.</summary>
    internal static readonly HashSet<int> Hidden =
    [
        0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x13, 0x15, 0x16, 0x18, 0x19, 0x1B, 0x1D, 0x1E, 0x1F, 0x24, 0x25, 0x26, 0x27, 0x2A, 0x30, 0x31,
    ];

    [Theory]
    [InlineData("e1000e", "01@c8 05@d0 10@e0 11@a0", "1@100 3@140")]
    [InlineData("nvme", "11@40 10@80 01@60", "")]
    [InlineData("nvme-sriov", "11@40 10@80 01@60", "")]
    [InlineData("virtio-net", "11@dc 09@c8 09@b4 09@a4 09@94 09@84 01@7c 10@40", "1@100")]
    [InlineData("vmxnet3", "10@48 11@9c 05@84", "3@100")]
    [InlineData("ich9-ahci", "05@80 12@a8", "")]
    [InlineData("rtl8139", "", "")]
    public void A_guest_finds_a_recorded_devices_capabilities_but_for_the_hosts(string device, string standard, string extended)
    {
        using var guest = new Guest(device);
        Assert.Equal(standard, string.Join(' ', guest.Capabilities().Select(static c => $"{c.Id:x2}@{c.Offset:x2}")));
        Assert.Equal(extended, string.Join(' ', guest.ExtendedCapabilities().Select(static c => $"{c.Id:x}@{c.Offset:x3}")));
    }

    [Fact]
    public void Over_any_chains_a_guest_finds_what_is_not_hidden_in_the_hosts_order() => Properties.Hold(Properties.Seeds, static seed =>
    {
        var recorded = RandomChains.Valid(new Random(seed));
        using var guest = new Guest(recorded);
        var host = CapabilityWalker.Walk(new FakeConfigSpace((byte[])recorded.Config.Clone(), new CallLog()));
        Assert.Empty(host.Warnings);
        Assert.Equal(
            host.Standard.Where(static c => c.Id is not (0x07 or 0x14)).Select(static c => ((int)c.Id, (int)c.Offset)),
            guest.Capabilities());
        Assert.Equal(
            host.Extended.Where(static c => !Hidden.Contains(c.Id))
                .Select(c => ((int)c.Id, recorded.Config[c.Offset + 2] & 0xF, (int)c.Offset)),
            guest.ExtendedCapabilities());
        foreach (var hidden in host.Extended.Where(static c => Hidden.Contains(c.Id)))
        {
            // A hidden first capability may leave a null capability's header; the rest reads as zero.
            Assert.All(
                Enumerable.Range(hidden.Offset, hidden.Length).Skip(hidden.Offset == 0x100 ? 4 : 0),
                at => Assert.Equal(0, guest.Read8(at)));
        }
    });

    [Fact]
    public void When_the_first_extended_capability_is_hidden_a_null_capability_leads_to_the_next()
    {
        using var guest = new Guest(new ConfigBuilder()
            .Extended(0x100, ExtendedCapabilityId.AlternativeRoutingId).Extended(0x180, ExtendedCapabilityId.DeviceSerialNumber).Build());
        Assert.Equal(0x1801_0000u, guest.Read32(0x100));
        Assert.Equal([(3, 1, 0x180)], guest.ExtendedCapabilities());
    }

    [Fact]
    public void When_all_extended_capabilities_are_hidden_there_are_none()
    {
        using var guest = new Guest(new ConfigBuilder()
            .Extended(0x100, ExtendedCapabilityId.AlternativeRoutingId).Extended(0x180, ExtendedCapabilityId.SingleRootIov).Build());
        Assert.Equal(0u, guest.Read32(0x100));
    }

    [Fact]
    public void When_the_last_is_hidden_the_one_before_ends_the_chain()
    {
        using var guest = new Guest(new ConfigBuilder()
            .Extended(0x100, ExtendedCapabilityId.AdvancedErrorReporting, 2).Extended(0x180, ExtendedCapabilityId.SingleRootIov)
            .Extended(0x200, ExtendedCapabilityId.AccessControlServices).Build());
        Assert.Equal(0x0002_0001u, guest.Read32(0x100));
    }

    [Fact]
    public void When_all_standard_capabilities_are_hidden_the_status_bit_is_clear()
    {
        using var guest = new Guest(new ConfigBuilder(256).Capability(0x40, CapabilityId.PciX).Build());
        Assert.Equal(0, guest.Read16(Header.Status) & Header.StatusCapabilityList);
        Assert.Equal(0, guest.Read8(Header.CapabilitiesPointer));
        Assert.Equal(0u, guest.Read32(0x40));
    }

    [Fact]
    public void A_chain_that_loops_on_the_host_ends_for_the_guest()
    {
        using var guest = new Guest(new ConfigBuilder().Power(0x40).Capability(0x50, CapabilityId.VitalProductData).Set8(0x51, 0x40)
            .Extended(0x100, (ExtendedCapabilityId)1).Extended(0x140, (ExtendedCapabilityId)3).Set8(0x143, 0x10).Build());
        Assert.Equal([(1, 0x40), (3, 0x50)], guest.Capabilities());
        Assert.Equal([(1, 1, 0x100), (3, 1, 0x140)], guest.ExtendedCapabilities());
        Assert.Equal(2, guest.Function.Chains.Warnings.Count);
    }

    [Theory]
    [InlineData(false, true, "11@70")]
    [InlineData(true, false, "05@50")]
    [InlineData(false, false, "")]
    public void A_capability_whose_interrupts_the_host_cannot_deliver_is_hidden(bool msi, bool msix, string found)
    {
        using var guest = new Guest(
            new ConfigBuilder().Bar(0, 0, 0x4000).Msi(0x50, 0).Msix(0x70, 4, 0, 0, 0x1000).Build(),
            host => (host.Msi, host.Msix) = (msi ? host.Msi : null, msix ? host.Msix : null));
        Assert.Equal(found, string.Join(' ', guest.Capabilities().Select(static c => $"{c.Id:x2}@{c.Offset:x2}")));
    }

    [Theory]
    [InlineData(1, 0x0000u, 0x1000u)]
    [InlineData(2, 0x0000u, 0x1000u)]
    [InlineData(0, 0x3FF0u, 0x1000u)]
    [InlineData(7, 0x0000u, 0x1000u)]
    public void MSI_X_whose_table_lies_in_no_memory_BAR_is_hidden_and_told_of(int bar, uint table, uint pending)
    {
        using var guest = new Guest(new ConfigBuilder()
            .Bar(0, 0, 0x4000).Bar(1, BarBits.Io, 0x100).Msix(0x70, 4, bar, table, pending).Build());
        Assert.Empty(guest.Capabilities());
        Assert.Contains("without MSI-X", Assert.Single(guest.Function.Flaws), StringComparison.Ordinal);
    }

    [Fact]
    public void MSI_X_whose_pending_bits_lie_in_no_memory_BAR_is_told_of_and_works()
    {
        using var guest = new Guest(new ConfigBuilder().Bar(0, 0, 0x4000).Msix(0x70, 4, 0, 0, 0x4000).Build());
        Assert.Equal((0x11, 0x70), Assert.Single(guest.Capabilities()));
        Assert.Contains("pending bits", Assert.Single(guest.Function.Flaws), StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_ports_above_must_be_fit_for_is_not_switched_on_and_the_rest_of_its_register_is()
    {
        using var guest = new Guest(new ConfigBuilder().Capability(0x40, CapabilityId.PciExpress).Set16(0x42, 0x02).Build());

        guest.Write16(0x68, 0xFFFF);

        // Atomic operations, latency tolerance, 10-bit tags and buffer flush/fill (PCIe 6.0 §7.5.3.16).
        Assert.Equal(new HostWrite(0x68, 2, 0xFFFF & ~0x7440), Assert.Single(guest.Host.Config.Writes));
    }

    [Theory]
    [InlineData(0x02, 0x92)]
    [InlineData(0x12, 0x92)]
    [InlineData(0x92, 0x92)]
    public void An_endpoint_is_shown_as_integrated_and_without_a_link(byte host, byte shown)
    {
        var recorded = new ConfigBuilder().Capability(0x40, CapabilityId.PciExpress).Set16(0x42, host).Build();
        recorded.Config.AsSpan(0x44, 0x38).Fill(0x11);
        using var guest = new Guest(recorded);
        Assert.Equal(shown, guest.Read16(0x42));
        var isIntegrated = host == 0x92;
        Assert.Equal(isIntegrated ? 0x1111_1111u : 0, guest.Read32(0x4C));
        Assert.Equal(isIntegrated ? 0x1111_1111u : 0, guest.Read32(0x70));
        Assert.Equal(0x1111_1111u, guest.Read32(0x44));
        Assert.Equal(0x1111_1111u, guest.Read32(0x64));
    }

    [Fact]
    public void A_recorded_endpoint_of_version_1_loses_its_link_registers_and_no_more()
    {
        using var guest = new Guest("e1000e");
        Assert.Equal(0x0091, guest.Read16(0xE2));
        Assert.Equal(0u, guest.Read32(0xEC));
        Assert.Equal(0u, guest.Read32(0xF0));
        Assert.Equal(BitConverter.ToUInt32(guest.Host.Config.Bytes, 0xE4), guest.Read32(0xE4));
    }
}
