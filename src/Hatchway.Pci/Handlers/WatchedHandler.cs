using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Handlers;

/// <summary>Stands before a handler that is somebody's code: the watch knows when a vCPU is in it, and hears of what it throws.</summary>
/// <remarks>What is thrown goes on to the BAR's window, which answers and counts.</remarks>
internal sealed class WatchedHandler(IBarHandler handler, string name, HandlerWatch watch) : IBarHandler
{
    private readonly Lock _gate = new();
    private long _failures;
    private long _warnedFailures;
    private long? _warnedAt;

    /// <summary>For people: what and where.</summary>
    public string Name => name;

    public ulong Read(in BarAccess access)
    {
        var visit = watch.Mine;
        visit.Enter(this);
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
            visit.Leave();
        }
    }

    public void Write(in BarAccess access, ulong value)
    {
        var visit = watch.Mine;
        visit.Enter(this);
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
            visit.Leave();
        }
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
}
