using FsCheck.Fluent;
using Hatchway.Pci.Address;

namespace Hatchway.Pci.Tests;

public sealed class PciAddressTests
{
    [Theory]
    [InlineData("0000:00:06.0", 0, 0, 6, 0)]
    [InlineData("00:1f.3", 0, 0, 31, 3)]
    [InlineData("ffff:FF:1F.7", 0xFFFF, 255, 31, 7)]
    [InlineData("10000:e1:00.0", 0x1_0000, 0xE1, 0, 0)]
    [InlineData("0/6/0", 0, 0, 6, 0)]
    [InlineData("255/31/7", 0, 255, 31, 7)]
    [InlineData("0/10/1", 0, 0, 10, 1)]
    [InlineData("pci3:10:1", 0, 3, 10, 1)]
    [InlineData("pci0:3:10:1", 0, 3, 10, 1)]
    public void An_address_is_read_in_both_notations(string text, int domain, int bus, int device, int function) =>
        Assert.Equal(new PciAddress((uint)domain, (byte)bus, (byte)device, (byte)function), PciAddress.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData(":.")]
    [InlineData("/")]
    [InlineData("00:06")]
    [InlineData("00:20.0")]
    [InlineData("00:06.8")]
    [InlineData("100:06.0")]
    [InlineData("100000000:00:06.0")]
    [InlineData("0:0000:00:06.0")]
    [InlineData("00:06.0.0")]
    [InlineData("00:06.")]
    [InlineData(":06.0")]
    [InlineData("00: 6.0")]
    [InlineData("0x0:06.0")]
    [InlineData("-1:06.0")]
    [InlineData("0/32/0")]
    [InlineData("256/0/0")]
    [InlineData("0/0/8")]
    [InlineData("0/a/0")]
    [InlineData("0/6")]
    [InlineData("0/6/0/0")]
    [InlineData("0/6/0/")]
    [InlineData("0//0")]
    [InlineData("+0/6/0")]
    [InlineData("0/6/ 0")]
    [InlineData("pci1:3:10:1")]
    [InlineData("pci")]
    [InlineData("pci0:6")]
    [InlineData("pci0/6/0")]
    public void What_is_no_address_is_refused_and_quoted(string text)
    {
        Assert.False(PciAddress.TryParse(text, null, out _));
        Assert.Contains($"'{text}'", Assert.Throws<FormatException>(() => PciAddress.Parse(text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_text_at_all_is_refused() => Assert.False(PciAddress.TryParse(null, null, out _));

    [Fact]
    public void Every_address_reads_back_from_both_notations()
    {
        var addresses =
            from domain in Gen.Choose(0, 0xFFFF)
            from bus in Gen.Choose(0, 255)
            from device in Gen.Choose(0, 31)
            from function in Gen.Choose(0, 7)
            select new PciAddress((ushort)domain, (byte)bus, (byte)device, (byte)function);
        Properties.Hold(addresses, address =>
        {
            Assert.Equal(address, PciAddress.Parse(address.ToString()));
            var (_, bus, device, function) = address;
            Assert.Equal(address with { Domain = 0 }, PciAddress.Parse($"{bus}/{device}/{function}"));
            Assert.Equal((bus << 8) | (device << 3) | function, address.RoutingId);
        });
    }

    [Fact]
    public void Any_text_is_either_read_or_refused_without_an_exception()
    {
        var texts = Gen.Elements('0', '1', 'f', 'g', ':', '.', '/', ' ', '-').ArrayOf();
        Properties.Hold(texts, text => PciAddress.TryParse(new string(text), null, out _), 500);
    }
}
