namespace Hatchway.Machine.Devices;

/// <summary>One edge-triggered wire for several devices, which is high while any of them asks.</summary>
/// <remarks>
/// A device that asks while the wire is high already would make no edge, and its interrupt would wait for another's. So the wire falls and
/// rises again: a handler finds what is new, or, if it saw that already, nothing. Any thread; the wire is driven under the lock, so that
/// levels arrive in the order they were worked out in.
/// </remarks>
public sealed class SharedInterruptLine
{
    private readonly IInterruptLine _line;

    // Guards everything below, and the inputs' levels.
    private readonly Lock _lock = new();
    private int _asserted;

    /// <summary>Makes a wire without devices.</summary>
    /// <param name="line">Where it leads to; driven by nobody else.</param>
    public SharedInterruptLine(IInterruptLine line)
    {
        ArgumentNullException.ThrowIfNull(line);
        _line = line;
    }

    /// <summary>Connects one more device.</summary>
    public IInterruptLine AddInput() => new Input(this);

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
                shared._asserted += asserted ? 1 : -1;
                if (asserted && shared._asserted > 1)
                    shared._line.Set(false);
                shared._line.Set(shared._asserted > 0);
            }
        }
    }
}
