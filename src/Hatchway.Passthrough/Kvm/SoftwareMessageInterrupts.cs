using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Pci.Interrupts;
using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Kvm;

/// <summary>MSI-X of a device in software: its vectors are eventfds, which this process signals and KVM delivers.</summary>
/// <remarks>The caller serialises calls, but for <see cref="Signal"/>, which any thread may call until it is disposed.</remarks>
public sealed partial class SoftwareMessageInterrupts : IMessageInterrupts, IDisposable
{
    private readonly string _name;
    private readonly KvmVm _vm;
    private readonly InterruptRoutes _routes;
    private readonly ILogger _log;
    private readonly IrqfdVector[] _vectors;
    private volatile bool _isEnabled;

    // KVM's table was full for one of them, and it was told.
    private bool _warnedOfShortage;

    /// <summary>Makes vectors, all of them silent.</summary>
    /// <param name="name">The device, for the log.</param>
    /// <param name="count">How many.</param>
    /// <param name="vm">The VM.</param>
    /// <param name="routes">Its interrupt routes.</param>
    /// <param name="log">Where failures are told.</param>
    public SoftwareMessageInterrupts(string name, int count, KvmVm vm, InterruptRoutes routes, ILogger log)
    {
        (_name, _vm, _routes, _log) = (name, vm, routes, log);
        _vectors = [.. EventFd.Create(count).Select(static trigger => new IrqfdVector { Trigger = trigger })];
    }

    /// <inheritdoc/>
    public int Count => _vectors.Length;

    /// <summary>Raises a vector; one that is masked becomes pending, and while MSI-X is off nothing happens.</summary>
    public void Signal(int vector)
    {
        if (_isEnabled)
            _vectors[vector].Trigger!.Signal();
    }

    /// <inheritdoc/>
    public bool TryEnable(int vectors)
    {
        // What was signalled while they went off is gone.
        foreach (ref var vector in _vectors.AsSpan())
            vector.Trigger!.Take();
        _isEnabled = true;
        return true;
    }

    /// <inheritdoc/>
    public void Disable()
    {
        _isEnabled = _warnedOfShortage = false;
        var gsis = new List<uint>();
        foreach (ref var vector in _vectors.AsSpan())
        {
            vector.Unbind(_vm);
            if (vector.TakeRoute() is { } gsi)
                gsis.Add(gsi);
        }
        if (gsis.Count > 0)
            _routes.Remove(gsis);
    }

    /// <inheritdoc/>
    public bool TryUnmask(int vector, MsiMessage message)
    {
        try
        {
            if (!_vectors[vector].TryRoute(_routes, message))
            {
                // A guest may have thousands of vectors, of which one line tells as much as many.
                if (!_warnedOfShortage)
                    LogNoRoute(_name, vector, _routes.Count);
                _warnedOfShortage = true;
                return false;
            }
            _vectors[vector].Bind(_vm);
            return true;
        }
        catch (LinuxException failure)
        {
            LogUnmaskFailed(_name, vector, failure.Message);
            return false;
        }
    }

    /// <inheritdoc/>
    public void Mask(int vector) => _vectors[vector].Unbind(_vm);

    /// <inheritdoc/>
    public bool IsPending(int vector) => _vectors[vector].IsPending;

    /// <summary>Closes the eventfds. Nobody signals any more.</summary>
    public void Dispose()
    {
        Disable();
        foreach (ref var vector in _vectors.AsSpan())
            vector.Trigger!.Dispose();
    }

    [LoggerMessage(
        LogLevel.Warning,
        "{Device}: MSI-X vector {Vector} stays silent, as will others: KVM's table of interrupt routes is full with {Routes}: "
        + "give the guest fewer devices")]
    private partial void LogNoRoute(string device, int vector, int routes);

    [LoggerMessage(LogLevel.Warning, "{Device}: MSI-X vector {Vector} stays silent: {Reason}")]
    private partial void LogUnmaskFailed(string device, int vector, string reason);
}
