using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Kvm;
using Hatchway.Pci.Interrupts;
using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Vfio;

/// <summary>MSI or MSI-X of a VFIO device: each vector's eventfd is a KVM irqfd, so that the kernel delivers it without user
/// space.</summary>
/// <remarks>
/// <para>
/// A vector's eventfd stays with the device from the vector's first unmasking until MSI or MSI-X is switched off.
/// </para>
/// <para>
/// Interrupts are enabled with all vectors but without eventfds: up to Linux 6.4, vectors can't be added while they are enabled
/// (VFIO_IRQ_INFO_NORESIZE), and disabling them to add some would lose interrupts meanwhile. The kernel requests a vector's interrupt
/// only when its eventfd is set.
/// </para>
/// <para>The caller serialises calls.</para>
/// </remarks>
internal sealed partial class VfioMessageInterrupts : IMessageInterrupts, IDisposable
{
    private readonly string _name;
    private readonly VfioDevice _device;
    private readonly int _index;
    private readonly KvmVm _vm;
    private readonly InterruptRoutes _routes;
    private readonly ILogger _log;
    private readonly IrqfdVector[] _vectors;

    // Number of vectors that the kernel has enabled; 0 while switched off.
    private int _enabled;

    // True once it was logged that the host's CPUs had no vector left for one of them, or KVM's routing table no room.
    private bool _warnedOfShortage;

    public VfioMessageInterrupts(string name, VfioDevice device, int index, int count, KvmVm vm, InterruptRoutes routes, ILogger log)
    {
        (_name, _device, _index, _vm, _routes, _log) = (name, device, index, vm, routes, log);
        _vectors = new IrqfdVector[count];
    }

    public int Count => _vectors.Length;

    public bool TryEnable(int vectors)
    {
        try
        {
            // 0 when all were enabled; otherwise none was, and this is the number that could be.
            var available = _device.SetIrqEventFds(_index, 0, new EventFd?[vectors]);
            if (available > 0)
            {
                LogTooFew(_name, Kind, vectors, available);
                // Fewer may be left by now. Then give up, rather than retry without end.
                if (_device.SetIrqEventFds(_index, 0, new EventFd?[available]) > 0)
                    return false;
            }
            _enabled = available > 0 ? available : vectors;
            return true;
        }
        catch (LinuxException failure)
        {
            LogEnableFailed(_name, Kind, vectors, failure.Message);
            return false;
        }
    }

    public void Disable()
    {
        if (_enabled == 0)
            return;
        _enabled = 0;
        _warnedOfShortage = false;
        for (var vector = 0; vector < _vectors.Length; vector++)
            Mask(vector);
        try
        {
            _device.DisableIrqs(_index);
        }
        catch (LinuxException failure)
        {
            // This happens when the device has gone away, and then it raises no more interrupts.
            LogDisableFailed(_name, Kind, failure.Message);
        }
        FreeVectors();
    }

    public bool TryUnmask(int vector, MsiMessage message)
    {
        // TryEnable has logged that the host has too few vectors.
        if (vector >= _enabled)
            return false;
        ref var state = ref _vectors[vector];
        try
        {
            if (!state.TryRoute(_routes, message))
            {
                TellOnce(vector, isTableFull: true);
                return false;
            }
            // The route is set before the irqfd is bound, and that before the device can signal, so no interrupt comes too early.
            if (state.Trigger is null)
                Wire(ref state, vector);
            else
                state.Bind(_vm);
            return true;
        }
        catch (LinuxException failure) when (failure.Errno == Errno.ENOSPC)
        {
            TellOnce(vector, isTableFull: false);
            return false;
        }
        catch (LinuxException failure)
        {
            LogUnmaskFailed(_name, Kind, vector, failure.Message);
            return false;
        }
    }

    public void Mask(int vector) => _vectors[vector].Unbind(_vm);

    public bool IsPending(int vector) => _vectors[vector].IsPending;

    public void Dispose() => Disable();

    private string Kind => _index == VfioPciIndex.MsixIrq ? "MSI-X" : "MSI";

    // A guest may have thousands of vectors, and one line about them is enough.
    private void TellOnce(int vector, bool isTableFull)
    {
        if (_warnedOfShortage)
            return;
        _warnedOfShortage = true;
        if (isTableFull)
            LogNoRoute(_name, Kind, vector, _routes.Count);
        else
            LogNoVector(_name, Kind, vector);
    }

    // All or nothing: when the host has no vector left, the route is freed for others, and the next unmasking tries again.
    private void Wire(ref IrqfdVector state, int vector)
    {
        var trigger = EventFd.Create();
        state.Trigger = trigger;
        try
        {
            state.Bind(_vm);
            _device.SetIrqEventFds(_index, vector, [trigger]);
        }
        catch (LinuxException)
        {
            state.Unbind(_vm);
            state.Trigger = null;
            trigger.Dispose();
            if (state.TakeRoute() is { } gsi)
                _routes.Remove([gsi]);
            throw;
        }
    }

    private void FreeVectors()
    {
        var gsis = new List<uint>();
        foreach (ref var state in _vectors.AsSpan())
        {
            if (state.TakeRoute() is { } gsi)
                gsis.Add(gsi);
            state.Trigger?.Dispose();
            state = default;
        }
        if (gsis.Count > 0)
            _routes.Remove(gsis);
    }

    [LoggerMessage(
        LogLevel.Warning,
        "{Device}: {Kind}: the host has {Given} interrupt vectors left for the device's {Vectors}; the others stay silent: "
        + "give the guest fewer devices, or the host more CPUs")]
    private partial void LogTooFew(string device, string kind, int vectors, int given);

    [LoggerMessage(LogLevel.Warning, "{Device}: {Kind} with {Vectors} vectors can't be switched on: {Reason}")]
    private partial void LogEnableFailed(string device, string kind, int vectors, string reason);

    [LoggerMessage(LogLevel.Warning, "{Device}: {Kind} can't be switched off: {Reason}")]
    private partial void LogDisableFailed(string device, string kind, string reason);

    [LoggerMessage(
        LogLevel.Warning,
        "{Device}: {Kind} vector {Vector} stays silent, as will others: KVM's table of interrupt routes is full with {Routes}: "
        + "give the guest fewer devices")]
    private partial void LogNoRoute(string device, string kind, int vector, int routes);

    [LoggerMessage(
        LogLevel.Warning,
        "{Device}: {Kind} vector {Vector} stays silent, as will others: the host's CPUs have no interrupt vector left: "
        + "give the guest fewer devices, or the host more CPUs")]
    private partial void LogNoVector(string device, string kind, int vector);

    [LoggerMessage(LogLevel.Warning, "{Device}: {Kind} vector {Vector} stays silent: {Reason}")]
    private partial void LogUnmaskFailed(string device, string kind, int vector, string reason);
}
