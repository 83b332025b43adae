using Hatchway.Devices;
using Hatchway.Machine.Devices;

namespace Hatchway.Tests.Devices;

/// <summary>Interrupt lines that several slots pull.</summary>
public sealed class SharedLinesTests
{
    [Fact]
    public void A_line_is_up_while_any_device_asserts_it()
    {
        var wires = new Dictionary<uint, Wire>();
        var lines = new SharedLines(gsi => wires[gsi] = new Wire());
        var first = lines.Connect(19);
        var second = lines.Connect(19);
        var other = lines.Connect(20);

        first.Set(true);
        second.Set(true);
        first.Set(false);
        first.Set(false);
        Assert.True(wires[19].IsUp);
        Assert.False(wires[20].IsUp);

        second.Set(false);
        other.Set(true);
        Assert.False(wires[19].IsUp);
        Assert.True(wires[20].IsUp);
        Assert.Equal(2, wires[19].Changes);
    }

    private sealed class Wire : IInterruptLine
    {
        public bool IsUp { get; private set; }

        public int Changes { get; private set; }

        public void Set(bool asserted)
        {
            IsUp = asserted;
            Changes++;
        }
    }
}
