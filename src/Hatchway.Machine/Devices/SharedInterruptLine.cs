namespace Hatchway.Machine.Devices;

/// <summary>One wire for several devices, high while any of them asserts it (PCI Local Bus 3.0 §2.2.6).</summary>
/// <remarks>
/// On an edge-triggered input, a device that asserts the wire while it is high would make no edge, and its interrupt would wait for
/// another's. So the wire is lowered and raised again there: the guest's handler finds the new cause, or nothing if it has seen it
/// already. Any thread; the wire is driven under the lock, so that levels arrive in the order in which they were computed.
/// </remarks>
public sealed class SharedInterruptLine
{
    private readonly IInterruptLine _line;
    private readonly bool _isEdgeTriggered;

    // Guards everything below, and the inputs' levels.
    private readonly Lock _lock = new();
    private int _asserted;

    /// <summary>Makes a wire without devices.</summary>
    /// <param name="line">The interrupt controller's input; nothing else may drive it.</param>
    /// <param name="isEdgeTriggered">True when that input reacts to rising edges, not to the level.</param>
    public SharedInterruptLine(IInterruptLine line, bool isEdgeTriggered)
    {
        ArgumentNullException.ThrowIfNull(line);
        (_line, _isEdgeTriggered) = (line, isEdgeTriggered);
    }

    /// <summary>Connects one more device.</summary>
    public IInterruptLine AddInput() => new Input(this);

    private void Change(bool asserted)
    {
        var wasHigh = _asserted > 0;
        _asserted += asserted ? 1 : -1;
        if (wasHigh && asserted && _isEdgeTriggered)
        {
            _line.Set(false);
            _line.Set(true);
        }
        else if (wasHigh != _asserted > 0)
        {
            _line.Set(!wasHigh);
        }
    }

    private sealed class Input(SharedInterruptLine shared) : IInterruptLine
    {
        private bool _asserted;

        public void Set(bool asserted)
        {
            lock (shared._lock)
            {
                if (_asserted == asserted)
                    return;
                _asserted = asserted;
                shared.Change(asserted);
            }
        }
    }
}
