using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Handlers;

/// <summary>Stands before a handler that is somebody's code: the watch knows when a vCPU is in it, and hears of what it throws.</summary>
/// <remarks>
/// <para>What is thrown goes on to the BAR's window, which answers and counts.</para>
/// <para>
/// Calls inside the handler are counted in two counters by turns, as in the kernel's SRCU. Once the unused one is at zero, the watch turns
/// new calls to it: a call in the other has been inside since before that turn.
/// </para>
/// </remarks>
internal sealed class WatchedHandler(IBarHandler handler, string name, HandlerWatch watch) : IBarHandler
{
    // What a call adds while it is inside: to the low half of the number or to the high one.
    private const long InLow = 1;
    private const long InHigh = 1L << 32;

    // Guards the failures' counts and the time of the last warning. A leaf.
    private readonly Lock _gate = new();
    private long _inside;
    private long _now = InLow;

    // Of the thread that checks.
    private long _turnedAt;
    private bool _isTold;

    private long _failures;
    private long _warnedFailures;
    private long? _warnedAt;

    /// <summary>For people: what and where.</summary>
    public string Name => name;

    /// <summary>True while a vCPU is in it.</summary>
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

    /// <summary>Looks whether a call has not returned for long.</summary>
    /// <param name="now">The time, in ticks of any clock.</param>
    /// <param name="patience">Ticks that a call may take.</param>
    /// <returns>True when it is time to tell: once, until that call has returned.</returns>
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
    /// <param name="unsaid">Failures before this one that were not told.</param>
    /// <returns>True when it is time to tell.</returns>
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
