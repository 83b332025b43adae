using Hatchway.Machine.Devices;

namespace Hatchway.Devices;

/// <summary>Wires that several devices pull: a line is up while any of them asserts it (PCI Local Bus 3.0 §2.2.6).</summary>
/// <param name="line">Gives the wire to a global system interrupt.</param>
internal sealed class SharedLines(Func<uint, IInterruptLine> line)
{
    private readonly Dictionary<uint, Wire> _wires = [];

    /// <summary>One device's end of a wire. While the machine is made.</summary>
    public IInterruptLine Connect(uint gsi)
    {
        if (!_wires.TryGetValue(gsi, out var wire))
            _wires.Add(gsi, wire = new Wire(line(gsi)));
        return new End(wire);
    }

    private sealed class Wire(IInterruptLine line)
    {
        // Guards the count, and that the line follows it.
        private readonly Lock _gate = new();
        private int _asserted;

        public void Change(bool asserted)
        {
            lock (_gate)
            {
                var before = _asserted;
                _asserted += asserted ? 1 : -1;
                if ((before > 0) != (_asserted > 0))
                    line.Set(_asserted > 0);
            }
        }
    }

    private sealed class End(Wire wire) : IInterruptLine
    {
        private bool _asserted;

        public void Set(bool asserted)
        {
            if (asserted == _asserted)
                return;
            _asserted = asserted;
            wire.Change(asserted);
        }
    }
}
