using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Handlers;

/// <summary>Wraps a user's handler, so that the watch knows when a vCPU is in it and which exceptions it throws.</summary>
/// <remarks>
/// <para>Exceptions are passed on to the BAR's window, which answers the access and counts them.</para>
/// <para>
/// Calls in progress are counted in two counters that take turns, as in the kernel's SRCU. Once the inactive counter is zero, the watch
/// makes it the active one, so all calls left in the other began before that switch.
/// </para>
/// </remarks>
internal sealed class WatchedHandler(IBarHandler handler, string name, HandlerWatch watch) : IBarHandler
{
    // The value that a call adds to _inside while in progress: one in the low or in the high half.
    private const long InLow = 1;
    private const long InHigh = 1L << 32;

    // Guards the failures' counts and the time of the last warning. A leaf.
    private readonly Lock _gate = new();
    private long _inside;
    private long _now = InLow;

    // Used only by the thread that checks.
    private long _turnedAt;
    private bool _isTold;

    private long _failures;
    private long _warnedFailures;
    private long? _warnedAt;

    /// <summary>The handler's name and range, for people.</summary>
    public string Name => name;

    /// <summary>True while a vCPU is in the handler.</summary>
    public bool HasCpu => Volatile.Read(ref _inside) != 0;

    ulong IBarHandler.Read(in BarAccess access)
    {
        var call = Enter();
        try
        {
            return handler.Read(access);
        }
        catch (Exception failure)
        {
            watch.Failed(this, reading: true, failure);
            throw;
        }
        finally
        {
            Leave(call);
        }
    }

    void IBarHandler.Write(in BarAccess access, ulong value)
    {
        var call = Enter();
        try
        {
            handler.Write(access, value);
        }
        catch (Exception failure)
        {
            watch.Failed(this, reading: false, failure);
            throw;
        }
        finally
        {
            Leave(call);
        }
    }

    /// <summary>Checks whether a call has not returned for too long.</summary>
    /// <param name="now">The time, in ticks of any clock.</param>
    /// <param name="patience">Ticks that a call may take.</param>
    /// <returns>True when the caller should warn: once, until that call has returned.</returns>
    public bool MayHang(long now, long patience)
    {
        var before = _now == InLow ? InHigh : InLow;
        if (CallsIn(before) == 0)
        {
            Volatile.Write(ref _now, before);
            _turnedAt = now;
            _isTold = false;
            return false;
        }
        if (_isTold || now - _turnedAt < patience)
            return false;
        return _isTold = true;
    }

    /// <summary>Counts a failure.</summary>
    /// <param name="now">The time, in ticks of any clock.</param>
    /// <param name="quiet">Ticks between two warnings.</param>
    /// <param name="unsaid">Failures since the last warning, without this one.</param>
    /// <returns>True when the caller should warn.</returns>
    public bool MayWarn(long now, long quiet, out long unsaid)
    {
        lock (_gate)
        {
            _failures++;
            unsaid = _failures - _warnedFailures - 1;
            if (_warnedAt is { } last && now - last < quiet)
                return false;
            _warnedAt = now;
            _warnedFailures = _failures;
            return true;
        }
    }

    private long Enter()
    {
        var call = Volatile.Read(ref _now);
        Interlocked.Add(ref _inside, call);
        return call;
    }

    private void Leave(long call) => Interlocked.Add(ref _inside, -call);

    // Neither half goes below zero, so the low one never borrows from the high one.
    private long CallsIn(long half)
    {
        var inside = Volatile.Read(ref _inside);
        return half == InLow ? inside & (InHigh - 1) : inside >> 32;
    }
}
