using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Handlers;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests.Handlers;

/// <summary>The device context that a library of register handlers receives.</summary>
public sealed class DeviceContextTests
{
    private readonly BarHandlerList _list = new();
    private readonly List<string> _lines = [];
    private readonly DeviceContext _device;

    public DeviceContextTests() => _device = new DeviceContext(
        new FakeHostFunction(RecordedFunction.Load("edu"), new CallLog()),
        new PciAddress(0, 0, 6, 0), new PciAddress(0, 0, 4, 0), _list, new HandlerWatch(TimeProvider.System, static _ => { }), _lines.Add);

    [Fact]
    public void A_library_sees_which_device_it_is_and_how_large_its_BARs_are()
    {
        Assert.Equal((0x1234, 0x11E8), (_device.VendorId, _device.DeviceId));
        Assert.Equal(("0000:00:06.0", "0000:00:04.0"), (_device.Host.ToString(), _device.Guest.ToString()));
        Assert.Equal(
            [0x10_0000ul, 0, 0, 0, 0, 0, 0],
            Enumerable.Range(0, BarIndex.Count).Select(bar => _device.BarSize(new((byte)bar))));
        _device.Log("hello");
        Assert.Equal(["hello"], _lines);
    }

    [Fact]
    public void A_handler_gets_the_accesses_to_its_registers()
    {
        var handler = new FakeHandler();
        _device.Handle(new(0), 0x100, 16, "counter", handler);
        var range = Assert.Single(_list[new(0)]);
        range.Handler.Write(new BarAccess(new(0), 0x104, 4, AccessWidth.Dword, null), 5);
        Assert.Equal(5ul, range.Handler.Read(new BarAccess(new(0), 0x104, 4, AccessWidth.Dword, null)));
        Assert.Equal(["write BAR0 104 4 4", "read BAR0 104 4 4"], handler.Accesses);
    }

    [Theory]
    [InlineData(2, 0, 4, "'counter': the device has no BAR2; it has BAR0")]
    [InlineData(6, 0, 4, "'counter': no handler goes on ROM; BARs are 0 to 5")]
    [InlineData(7, 0, 4, "'counter': no handler goes on BAR7; BARs are 0 to 5")]
    [InlineData(0, 0xF_FFFE, 4, "'counter': 4h bytes at ffffeh do not lie in BAR0, which has 100000h")]
    [InlineData(0, 0, 0, "'counter': BAR0 0h, 0 bytes, is no range")]
    [InlineData(0, 0xE, 4, "'counter' (BAR0 eh to 11h) overlaps 'status' (8h to fh)")]
    public void Registers_that_a_handler_can_not_have_are_refused_in_one_line(byte bar, ulong offset, ulong length, string message)
    {
        _device.Handle(new(0), 8, 8, "status", new FakeHandler());
        var failure = Assert.Throws<HandlerException>(() => _device.Handle(new(bar), offset, length, "counter", new FakeHandler()));
        Assert.Equal(message, failure.Message);
    }

    [Fact]
    public void A_handler_reaches_the_devices_other_registers_and_nothing_beyond_the_BAR()
    {
        var log = new CallLog();
        var access = new BarAccess(new(0), 0x98, 0, AccessWidth.Qword, new FakeRegion("BAR0", 0x1000, log));
        Assert.Equal(FakeRegion.Pattern(0x80, AccessWidth.Dword), access.ReadHost(0x80, AccessWidth.Dword));
        access.WriteHost(0x90, AccessWidth.Word, 0x1_2345);
        Assert.Equal(0xFFFF_FFFFul, access.ReadHost(0xFFE, AccessWidth.Dword));
        Assert.Equal(0xFFul, access.ReadHost(ulong.MaxValue, AccessWidth.Byte));
        access.WriteHost(0x1000, AccessWidth.Byte, 1);
        Assert.Equal(["BAR0.read 80 4", "BAR0.write 90 2 2345"], log.Lines);
    }
}
