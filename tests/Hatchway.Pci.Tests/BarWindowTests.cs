using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

/// <summary>Which part answers an access to a BAR: a handler, the host's device, or none.</summary>
public sealed class BarWindowTests
{
    private static readonly BarDescription Bar0 = new(new BarIndex(0), BarKind.Memory32, 0x2000, false);
    private readonly CallLog _log = new();
    private readonly BarHandlerList _handlers = new();
    private readonly FakeHandler _handler = new();
    private readonly FakeRegion _region;

    public BarWindowTests() => _region = new FakeRegion("BAR0", 0x2000, _log, new MappableArea(0, 0x2000));

    [Theory]
    [InlineData(AccessWidth.Byte)]
    [InlineData(AccessWidth.Word)]
    [InlineData(AccessWidth.Dword)]
    [InlineData(AccessWidth.Qword)]
    public void An_access_reaches_the_device_once_at_its_width(AccessWidth width)
    {
        var window = Window();
        Assert.Equal(FakeRegion.Pattern(0x40, width), window.Read(0x40, width));
        window.Write(0x48, width, 0x11);
        Assert.Equal([$"BAR0.read 40 {(int)width}", $"BAR0.write 48 {(int)width} 11"], _log.Lines);
    }

    [Fact]
    public void An_access_inside_a_handler_goes_to_it_with_its_own_offset()
    {
        var window = Window(0x100, 16);
        window.Write(0x104, AccessWidth.Dword, 0xCAFE_F00D);
        Assert.Equal(0xCAFE_F00Dul, window.Read(0x104, AccessWidth.Dword));
        Assert.Equal(["write BAR0 104 4 4", "read BAR0 104 4 4"], _handler.Accesses);
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public void A_handler_reaches_the_register_behind_it()
    {
        _handler.PassesOn = true;
        var window = Window(0x100, 16);
        Assert.Equal(FakeRegion.Pattern(0x108, AccessWidth.Qword), window.Read(0x108, AccessWidth.Qword));
        window.Write(0x10C, AccessWidth.Word, 0xBEEF);
        Assert.Equal(["BAR0.read 108 8", "BAR0.write 10c 2 beef"], _log.Lines);
    }

    [Fact]
    public void A_handler_of_another_BAR_is_not_asked()
    {
        _handlers.Add(new BarHandlerRange(new(1), 0, 64, "other", _handler));
        Window().Read(0, AccessWidth.Dword);
        Assert.Empty(_handler.Accesses);
    }

    [Fact]
    public void A_handler_that_answers_too_wide_is_cut_to_the_access()
    {
        var window = new BarWindow(Bar0, _region, With(new WideHandler(), 0, 8));
        Assert.Equal(0xFFul, window.Read(0, AccessWidth.Byte));
    }

    [Theory]
    [InlineData(0xFE, AccessWidth.Dword, new[] { "BAR0.read fe 2" }, new[] { "read BAR0 100 0 2" })]
    [InlineData(0xFC, AccessWidth.Qword, new[] { "BAR0.read fc 4" }, new[] { "read BAR0 100 0 4" })]
    [InlineData(0xFF, AccessWidth.Qword, new[] { "BAR0.read ff 1", "BAR0.read 106 1" },
        new[] { "read BAR0 100 0 4", "read BAR0 104 4 2" })]
    [InlineData(0x105, AccessWidth.Word, new[] { "BAR0.read 106 1" }, new[] { "read BAR0 105 5 1" })]
    public void An_access_over_an_edge_is_split_so_that_each_owner_gets_its_part(
        ulong offset, AccessWidth width, string[] device, string[] handler)
    {
        var window = Window(0x100, 6);
        for (var i = 0; i < 6; i++)
            window.Write(0x100 + (ulong)i, AccessWidth.Byte, FakeRegion.Pattern(0x100 + (ulong)i));
        _handler.Accesses.Clear();
        Assert.Equal(FakeRegion.Pattern(offset, width), window.Read(offset, width));
        Assert.Equal(device, _log.Lines);
        Assert.Equal(handler, _handler.Accesses);
    }

    [Fact]
    public void A_write_over_an_edge_is_split_like_a_read()
    {
        var window = Window(0x100, 4);
        window.Write(0xFE, AccessWidth.Qword, 0x8877_6655_4433_2211);
        Assert.Equal(["BAR0.write fe 2 2211", "BAR0.write 104 2 8877"], _log.Lines);
        Assert.Equal(0x6655_4433ul, window.Read(0x100, AccessWidth.Dword));
    }

    [Fact]
    public void Handlers_side_by_side_each_get_their_part()
    {
        var second = new FakeHandler();
        _handlers.Add(new BarHandlerRange(new(0), 0x104, 4, "second", second));
        var window = Window(0x100, 4);
        window.Write(0x100, AccessWidth.Qword, 0x2222_2222_1111_1111);
        Assert.Equal(["write BAR0 100 0 4"], _handler.Accesses);
        Assert.Equal(["write BAR0 104 0 4"], second.Accesses);
        Assert.Equal(0x2222_2222_1111_1111ul, window.Read(0x100, AccessWidth.Qword));
    }

    [Fact]
    public void A_handler_that_throws_reads_as_all_ones_and_each_failure_is_counted()
    {
        var window = Window(0x100, 16);
        _handler.Throws = true;
        Assert.Equal(0xFFFFul, window.Read(0x100, AccessWidth.Word));
        window.Write(0x100, AccessWidth.Dword, 1);
        Assert.Equal(2, window.Failures);
        Assert.IsType<InvalidOperationException>(window.LastHandlerFailure);
        _handler.Throws = false;
        Assert.Equal(0ul, window.Read(0x100, AccessWidth.Word));
    }

    [Fact]
    public void A_handler_that_throws_spoils_its_own_part_only()
    {
        var window = Window(0x100, 4);
        _handler.Throws = true;
        Assert.Equal(0xFFFF_0000ul | FakeRegion.Pattern(0xFE, AccessWidth.Word), window.Read(0xFE, AccessWidth.Dword));
    }

    [Fact]
    public void A_device_that_does_not_answer_reads_as_all_ones_and_is_counted()
    {
        var window = Window();
        _region.Gone = true;
        Assert.Equal(0xFFFF_FFFFul, window.Read(0, AccessWidth.Dword));
        window.Write(0, AccessWidth.Dword, 1);
        Assert.Equal(2, window.Failures);
    }

    [Fact]
    public void Between_a_short_regions_end_and_the_BARs_nothing_answers()
    {
        var window = new BarWindow(Bar0, new FakeRegion("BAR0", 0x1800, _log), _handlers);
        Assert.Equal(0xFFFF_FFFFul, window.Read(0x1800, AccessWidth.Dword));
        Assert.Equal(0xFFFF_FFFFul, window.Read(0x17FE, AccessWidth.Dword));
        window.Write(0x1FFC, AccessWidth.Dword, 0);
        Assert.Empty(_log.Lines);
        Assert.Equal(3, window.Failures);
    }

    [Fact]
    public void Any_access_gives_the_bytes_of_their_owners() => Properties.Hold(Properties.Seeds, seed =>
    {
        var random = new Random(seed);
        var handlers = new BarHandlerList();
        var owned = new bool[0x100];
        for (var at = random.Next(32); at < 0xE0; at += random.Next(1, 40))
        {
            var length = random.Next(1, 20);
            handlers.Add(new BarHandlerRange(new(0), (ulong)at, (ulong)length, $"h{at}", new ComplementHandler()));
            Array.Fill(owned, true, at, length);
            at += length;
        }
        var window = new BarWindow(Bar0, _region, handlers);
        for (var i = 0; i < 50; i++)
        {
            var width = (AccessWidth)(1 << random.Next(4));
            var offset = random.Next(0x100 - (int)width);
            var value = window.Read((ulong)offset, width);
            for (var j = 0; j < (int)width; j++)
            {
                var host = FakeRegion.Pattern((ulong)(offset + j));
                Assert.Equal(owned[offset + j] ? (byte)~host : host, (byte)(value >> (8 * j)));
            }
        }
    });

    private BarWindow Window(ulong offset = 0, ulong length = 0) =>
        new(Bar0, _region, length == 0 ? _handlers : With(_handler, offset, length));

    private BarHandlerList With(IBarHandler handler, ulong offset, ulong length)
    {
        _handlers.Add(new BarHandlerRange(new(0), offset, length, "handler", handler));
        return _handlers;
    }

    private sealed class WideHandler : IBarHandler
    {
        public ulong Read(in BarAccess access) => ulong.MaxValue;

        public void Write(in BarAccess access, ulong value)
        {
        }
    }

    private sealed class ComplementHandler : IBarHandler
    {
        public ulong Read(in BarAccess access) => ~access.ReadHost();

        public void Write(in BarAccess access, ulong value) => access.WriteHost(~value);
    }
}
