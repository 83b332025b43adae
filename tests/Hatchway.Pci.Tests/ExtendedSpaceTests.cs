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

    private static Guest Create() => new(new ConfigBuilder()
        .Extended(Errors, ExtendedCapabilityId.AdvancedErrorReporting)
        .Extended(Vendor, ExtendedCapabilityId.VendorSpecific)
        // A vendor-specific capability has its length in bits 31:20 of its second dword (§7.9.5).
        .Set32(Vendor + 4, 0x020 << 20)
        .Extended(Unknown, (ExtendedCapabilityId)0x7777)
        .Build());
}
