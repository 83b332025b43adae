using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Pci.Interrupts;
using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Kvm;

/// <summary>MSI-X of a device in software: its vectors are eventfds that this process signals and KVM delivers.</summary>
/// <remarks>The caller serialises calls, except to <see cref="Signal"/>, which any thread may call until this is disposed.</remarks>
public sealed partial class SoftwareMessageInterrupts : IMessageInterrupts, IDisposable
{
    private readonly string _name;
    private readonly KvmVm _vm;
    private readonly InterruptRoutes _routes;
    private readonly ILogger _log;
    private readonly IrqfdVector[] _vectors;
    private volatile bool _isEnabled;

    // True once it was logged that KVM's routing table has no room for one of them.
    private bool _warnedOfShortage;

    /// <summary>Creates the vectors, with MSI-X off.</summary>
    /// <param name="name">The device, for the log.</param>
    /// <param name="count">Number of vectors.</param>
    /// <param name="vm">The VM.</param>
    /// <param name="routes">Its interrupt routes.</param>
    /// <param name="log">Receives failures.</param>
    public SoftwareMessageInterrupts(string name, int count, KvmVm vm, InterruptRoutes routes, ILogger log)
    {
        (_name, _vm, _routes, _log) = (name, vm, routes, log);
        _vectors = [.. EventFd.Create(count).Select(static trigger => new IrqfdVector { Trigger = trigger })];
    }

    /// <inheritdoc/>
    public int Count => _vectors.Length;

    /// <summary>Raises a vector. A masked one becomes pending; while MSI-X is off, nothing happens.</summary>
    public void Signal(int vector)
    {
        if (_isEnabled)
            _vectors[vector].Trigger!.Signal();
    }

    /// <inheritdoc/>
    public bool TryEnable(int vectors)
    {
        // Discard what was signalled while MSI-X was being switched off.
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
                // A guest may have thousands of vectors, and one line about them is enough.
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

    /// <summary>Closes the eventfds. No thread may signal any more.</summary>
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
