using Hatchway.Machine.Devices;

namespace Hatchway.Machine.Tests.Devices;

public sealed class SharedInterruptLineTests
{
    private readonly EdgeCounter _wire = new();
    private readonly IInterruptLine _first;
    private readonly IInterruptLine _second;

    public SharedInterruptLineTests()
    {
        var shared = new SharedInterruptLine(_wire, isEdgeTriggered: true);
        (_first, _second) = (shared.AddInput(), shared.AddInput());
    }

    [Fact]
    public void The_wire_is_high_while_any_device_asks()
    {
        _first.Set(true);
        _second.Set(true);
        _first.Set(false);
        Assert.True(_wire.High);
        _second.Set(false);
        Assert.False(_wire.High);
    }

    [Fact]
    public void A_device_that_asks_while_another_does_makes_an_edge_of_its_own()
    {
        _first.Set(true);
        _second.Set(true);
        Assert.Equal(2, _wire.Edges);
    }

    [Fact]
    public void The_same_level_twice_is_nothing_new()
    {
        _first.Set(true);
        _first.Set(true);
        Assert.Equal(1, _wire.Edges);
        _first.Set(false);
        _first.Set(false);
        Assert.False(_wire.High);
    }

    [Fact]
    public void A_level_is_set_when_the_first_device_asks_and_when_the_last_stops()
    {
        var shared = new SharedInterruptLine(_wire, isEdgeTriggered: false);
        var (first, second) = (shared.AddInput(), shared.AddInput());
        first.Set(true);
        second.Set(true);
        first.Set(false);
        first.Set(false);
        Assert.True(_wire.High);
        second.Set(false);
        Assert.False(_wire.High);
        Assert.Equal(2, _wire.Changes);
    }

    private sealed class EdgeCounter : IInterruptLine
    {
        public bool High { get; private set; }

        public int Edges { get; private set; }

        public int Changes { get; private set; }

        public void Set(bool asserted)
        {
            Changes++;
            if (asserted && !High)
                Edges++;
            High = asserted;
        }
    }
}
