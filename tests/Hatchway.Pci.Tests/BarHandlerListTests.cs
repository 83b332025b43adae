using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

public sealed class BarHandlerListTests
{
    private readonly BarHandlerList _list = new();

    [Theory]
    [InlineData(0x100, 16)]
    [InlineData(0x0F0, 17)]
    [InlineData(0x10F, 1)]
    [InlineData(0x104, 4)]
    [InlineData(0x000, 0x1000)]
    public void A_range_that_overlaps_another_is_refused_and_both_are_named_with_their_places(ulong offset, ulong length)
    {
        Add(0x100, 16, "doorbell");
        var message = Assert.Throws<HandlerException>(() => Add(offset, length, "counter")).Message;
        var last = offset + length - 1;
        Assert.Contains($"counter (BAR2 {offset:x}h to {last:x}h) overlaps doorbell (100h to 10fh)", message, StringComparison.Ordinal);
        Assert.Single(_list[new(2)]);
    }

    [Fact]
    public void Ranges_that_touch_or_lie_in_other_BARs_do_not_overlap()
    {
        Add(0x100, 16, "doorbell");
        Add(0x110, 4, "above");
        Add(0xFC, 4, "below");
        _list.Add(new BarHandlerRange(new(3), 0x100, 16, "elsewhere", new FakeHandler()));
        Assert.Equal(["below", "doorbell", "above"], _list[new(2)].Select(static range => range.Name));
    }

    [Theory]
    [InlineData(2, 0x100, 0)]
    [InlineData(2, ulong.MaxValue, 2)]
    [InlineData(2, 0x10, ulong.MaxValue)]
    [InlineData(7, 0, 4)]
    public void What_is_no_range_is_refused(byte bar, ulong offset, ulong length)
    {
        var message = Assert.Throws<HandlerException>(
            () => _list.Add(new BarHandlerRange(new(bar), offset, length, "odd", new FakeHandler()))).Message;
        Assert.Contains("odd", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_look_up_finds_the_owner_of_every_byte_and_how_far_it_holds() => Properties.Hold(Properties.Seeds, static seed =>
    {
        var random = new Random(seed);
        var list = new BarHandlerList();
        var owners = new BarHandlerRange?[300];
        for (var i = 0; i < 20; i++)
        {
            var range = new BarHandlerRange(new(0), (ulong)random.Next(256), (ulong)random.Next(1, 24), $"h{i}", new FakeHandler());
            if (owners.AsSpan((int)range.Offset, (int)range.Length).ContainsAnyExcept((BarHandlerRange?)null))
                Assert.Throws<HandlerException>(() => list.Add(range));
            else
                list.Add(range);
            if (list[new(0)].Contains(range))
                Array.Fill(owners, range, (int)range.Offset, (int)range.Length);
        }
        for (var at = 0; at < 300; at++)
        {
            Assert.Same(owners[at], list.Find(new BarIndex(0), (ulong)at, out var until));
            var end = at;
            while (end < 300 && ReferenceEquals(owners[end], owners[at]))
                end++;
            Assert.Equal(end == 300 ? ulong.MaxValue : (ulong)end, until);
        }
    });

    private void Add(ulong offset, ulong length, string name) =>
        _list.Add(new BarHandlerRange(new(2), offset, length, name, new FakeHandler()));
}
