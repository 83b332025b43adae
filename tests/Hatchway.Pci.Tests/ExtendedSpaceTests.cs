using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

/// <summary>The parts of extended config space that a guest can write: known and harmless capabilities only.</summary>
public sealed class ExtendedSpaceTests
{
    private const int Errors = 0x100;
    private const int Vendor = 0x180;
    private const int Unknown = 0x200;

    [Fact]
    public void Registers_that_no_capability_names_are_read_and_not_written()
    {
        using var guest = Create();
        foreach (var at in new[] { 0x160, Vendor + 0x20, Unknown + 8, 0x2D6, 0xFFC })
        {
            var width = (at & 3) == 0 ? AccessWidth.Dword : AccessWidth.Word;
            var before = guest.Host.Config.Read(new((ushort)at), width);
            Assert.Equal(before, guest.Read(at, width));

            guest.Write(at, width, ~before & (uint)width.AllOnes());
        }
        Assert.Empty(guest.Host.Config.Writes);
    }

    [Fact]
    public void Error_reporting_and_vendor_capabilities_are_written_to_their_ends()
    {
        using var guest = Create();
        foreach (var at in new[] { Errors + 8, Errors + 0x44, Vendor + 0x1C })
        {
            guest.Write32(at, 0x1234_5678);
            Assert.Equal(new HostWrite(at, 4, 0x1234_5678), guest.Host.Config.Writes[^1]);
        }
    }

    [Theory]
    [InlineData(ExtendedCapabilityId.LatencyTolerance, 0u, 0x5555_5555u, 8)]
    [InlineData(ExtendedCapabilityId.AddressTranslation, 0u, 0x5555_5555u, 8)]
    [InlineData(ExtendedCapabilityId.Pasid, 0u, 0x5555_5555u, 8)]
    [InlineData(ExtendedCapabilityId.AlternativeRoutingId, 0u, 0x5555_5555u, 8)]
    [InlineData(ExtendedCapabilityId.PageRequest, 0u, 0x5555_5555u, 16)]
    [InlineData(ExtendedCapabilityId.SingleRootIov, 0u, 0x5555_5555u, 64)]
    [InlineData(ExtendedCapabilityId.AccessControlServices, 0x005Fu, 0x5555_5555u, 8)]
    [InlineData(ExtendedCapabilityId.AccessControlServices, 0x217Fu, 0x5555_5555u, 16)]
    [InlineData(ExtendedCapabilityId.AccessControlServices, 0x007Fu, 0x5555_5555u, 40)]
    [InlineData(ExtendedCapabilityId.ResizableBar, 0u, 0x20u, 12)]
    [InlineData(ExtendedCapabilityId.ResizableBar, 0u, 0xC0u, 52)]
    [InlineData(ExtendedCapabilityId.VfResizableBar, 0u, 0x40u, 20)]
    [InlineData(ExtendedCapabilityId.ResizableBar, 0u, 0u, 0x80)]
    [InlineData(ExtendedCapabilityId.L1Substates, 0u, 0x5555_5555u, 0x80)]
    public void A_hidden_capability_hides_its_own_registers_and_what_lies_behind_is_read(
        ExtendedCapabilityId hidden, uint first, uint second, int length)
    {
        var builder = new ConfigBuilder().Extended(0x100, ExtendedCapabilityId.DeviceSerialNumber).Extended(0x200, hidden)
            .Extended(0x280, ExtendedCapabilityId.DeviceSerialNumber);
        for (var at = 0x204; at < 0x280; at += 4)
            builder.Set32(at, 0x5555_5555);
        using var guest = new Guest(builder.Set32(0x204, first).Set32(0x208, second).Build());

        for (var at = 0x200; at < 0x280; at += 4)
            Assert.Equal(at < 0x200 + length ? 0u : 0x5555_5555, guest.Read32(at));
    }

    private static Guest Create() => new(new ConfigBuilder()
        .Extended(Errors, ExtendedCapabilityId.AdvancedErrorReporting)
        .Extended(Vendor, ExtendedCapabilityId.VendorSpecific)
        // A vendor-specific capability has its length in bits 31:20 of its second dword (§7.9.5).
        .Set32(Vendor + 4, 0x020 << 20)
        .Extended(Unknown, (ExtendedCapabilityId)0x7777)
        .Build());
}
