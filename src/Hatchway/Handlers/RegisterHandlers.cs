using Hatchway.CommandLine;
using Hatchway.Logging;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Handlers;
using Hatchway.Pci.Topology;
using Hatchway.Vm;
using Microsoft.Extensions.Logging;

namespace Hatchway.Handlers;

/// <summary>The register handlers of one passed-through function: mirrors of its config space, and the handlers of the user's
/// assemblies.</summary>
internal sealed class RegisterHandlers : IDisposable
{
    private static readonly TimeSpan CheckEvery = TimeSpan.FromMilliseconds(250);
    private readonly SlotOption _slot;
    private readonly PciAddress _host;
    private readonly PassthruOptions _options;
    private readonly HandlerWatch _watch;
    private readonly List<(HandlerAssembly Assembly, IDeviceHandlers Handlers)> _libraries;
    private readonly Timer? _timer;

    /// <summary>Loads the assemblies; the device need not be open yet.</summary>
    /// <param name="slot">The guest's slot.</param>
    /// <param name="host">The host's function.</param>
    /// <param name="log">Receives warnings about handlers.</param>
    /// <exception cref="UserException">An assembly can't be loaded.</exception>
    public RegisterHandlers(SlotOption slot, PciAddress host, ILogger log)
    {
        _slot = slot;
        _host = host;
        _options = slot.Emulation is PassthruSlot passthru ? passthru.Options : PassthruOptions.None;
        _libraries = [.. _options.Handlers.Select(static assembly => (assembly, assembly.Make()))];
        _watch = new HandlerWatch(TimeProvider.System, warning => log.HandlerWarning(host, warning));
        if (_libraries.Count > 0)
            _timer = new Timer(_ => _watch.Check(), null, CheckEvery, CheckEvery);
    }

    /// <summary>Makes the list of a function's handlers, and with it the guest's function.</summary>
    /// <param name="function">The host's function.</param>
    /// <param name="make">Makes the guest's function with the list.</param>
    /// <exception cref="UserException">A handler can't be placed at its registers.</exception>
    public AssignedFunction Attach(IHostFunction function, Func<BarHandlerList, AssignedFunction> make)
    {
        var list = new BarHandlerList();
        try
        {
            var mirrors = new FunctionMirrors(function, list);
            foreach (var mirror in _options.Mirrors)
                mirrors.Add(mirror.Bar, mirror.Offset, mirror.Length);
            var guest = new PciAddress(0, 0, (byte)_slot.Slot, (byte)_slot.Function);
            var device = new DeviceContext(function, _host, guest, list, _watch, line => StandardErrorLogger.Write($"{_host}: {line}"));
            foreach (var (assembly, handlers) in _libraries)
                Attach(assembly, handlers, device);
            var made = make(list);
            mirrors.Bind(made);
            return made;
        }
        // The MSI-X table is added to the list last. It can't be moved, so a handler that overlaps it is at fault.
        catch (HandlerException failure)
        {
            throw new UserException($"-s {_slot.Slot}:{_slot.Function},passthru: {_host}: {failure.Message}");
        }
    }

    /// <summary>True while a vCPU is in one of the user's handlers.</summary>
    public bool HasCpu => _watch.HasCpu;

    public void Dispose() => _timer?.Dispose();

    private static void Attach(HandlerAssembly assembly, IDeviceHandlers handlers, DeviceContext device)
    {
        try
        {
            handlers.Attach(device);
        }
        catch (HandlerException failure)
        {
            throw assembly.Error(failure.Message);
        }
#pragma warning disable CA1031 // The user's code: whatever it throws is reported in one line.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            throw assembly.Error($"{handlers.GetType().Name}.Attach threw {failure.GetType().Name}: {failure.Message}");
        }
    }
}
