namespace Hatchway.Vm;

/// <summary>Where vCPUs stand still while the guest is paused. Any thread closes and opens it; the vCPUs' own threads wait at it.</summary>
/// <param name="vcpus">How many vCPUs there are.</param>
internal sealed class PauseGate(int vcpus)
{
    // Guards the three fields below, and is what the waiting wait on. A leaf.
    private readonly object _changed = new();
    private bool _isClosed;
    private bool _hasEnded;
    private int _waiting;

    /// <summary>True while the guest is to stand still. Read by every vCPU before it enters the guest.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed);

    /// <summary>Closes the gate. Whoever does it then kicks the vCPUs, since those in the guest do not look.</summary>
    public void Close()
    {
        lock (_changed)
            Volatile.Write(ref _isClosed, !_hasEnded);
    }

    /// <summary>Opens it for good: the guest has ended.</summary>
    public void End()
    {
        lock (_changed)
            _hasEnded = true;
        Open();
    }

    /// <summary>Opens it; the vCPUs go on.</summary>
    public void Open()
    {
        lock (_changed)
        {
            Volatile.Write(ref _isClosed, false);
            Monitor.PulseAll(_changed);
        }
    }

    /// <summary>A vCPU's thread waits here until the gate is open.</summary>
    public void Wait()
    {
        lock (_changed)
        {
            _waiting++;
            Monitor.PulseAll(_changed);
            while (_isClosed)
                Monitor.Wait(_changed);
            _waiting--;
        }
    }

    /// <summary>Waits until all vCPUs stand still.</summary>
    /// <returns>False when the time was up before, or the gate was opened.</returns>
    public bool WaitForAll(TimeSpan bound)
    {
        var end = Environment.TickCount64 + (long)bound.TotalMilliseconds;
        lock (_changed)
        {
            while (_isClosed && _waiting < vcpus)
            {
                var left = end - Environment.TickCount64;
                if (left <= 0 || !Monitor.Wait(_changed, (int)left))
                    break;
            }
            return _isClosed && _waiting == vcpus;
        }
    }
}
