namespace Hatchway.Vm;

/// <summary>The gate at which vCPUs wait while the guest is paused. Any thread closes and opens it; vCPUs' threads wait at it.</summary>
/// <param name="vcpus">The number of vCPUs.</param>
internal sealed class PauseGate(int vcpus)
{
    // Guards the three fields below, and signals their changes. A leaf.
    private readonly object _changed = new();
    private bool _isClosed;
    private bool _hasEnded;
    private int _waiting;

    /// <summary>True while the guest is paused. Every vCPU reads it before it enters the guest.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed);

    /// <summary>Closes the gate. The caller must then kick the vCPUs, since those in the guest do not check.</summary>
    public void Close()
    {
        lock (_changed)
            Volatile.Write(ref _isClosed, !_hasEnded);
    }

    /// <summary>Opens the gate for good, because the guest has ended.</summary>
    public void End()
    {
        lock (_changed)
            _hasEnded = true;
        Open();
    }

    /// <summary>Opens the gate; the vCPUs run on.</summary>
    public void Open()
    {
        lock (_changed)
        {
            Volatile.Write(ref _isClosed, false);
            Monitor.PulseAll(_changed);
        }
    }

    /// <summary>Waits on a vCPU's thread until the gate is open.</summary>
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

    /// <summary>Waits until all vCPUs are at the gate.</summary>
    /// <returns>False when the time ran out, or the gate was opened.</returns>
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
