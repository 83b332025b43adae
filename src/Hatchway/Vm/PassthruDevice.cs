using Hatchway.CommandLine;
using Hatchway.Handlers;
using Hatchway.Machine;
using Hatchway.Passthrough.Host;
using Hatchway.Passthrough.Kvm;
using Hatchway.Passthrough.Vfio;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Topology;
using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Microsoft.Extensions.Logging;

namespace Hatchway.Vm;

/// <summary>One <c>-s ...,passthru</c>: a host function in its slot of the guest's bus.</summary>
internal sealed class PassthruDevice : IDisposable
{
    private readonly VfioFunction _host;
    private readonly RegisterHandlers _handlers;
    private readonly ILogger _log;
    private AssignedFunction? _guest;
    private int _disposed;

    /// <param name="slot">The guest's slot.</param>
    /// <param name="host">The host's function, already checked.</param>
    /// <param name="space">The VM's IOMMU address space.</param>
    /// <param name="vm">The VM.</param>
    /// <param name="routes">Its interrupt routes.</param>
    /// <param name="log">Receives limitations.</param>
    public PassthruDevice(SlotOption slot, HostDevice host, IommuSpace space, KvmVm vm, InterruptRoutes routes, ILogger log)
    {
        Slot = slot;
        _log = log;
        _handlers = new RegisterHandlers(slot, host.Address, log);
        try
        {
            var peers = ((PassthruSlot)slot.Emulation).Options.ReachedByPeers;
            _host = VfioFunction.Open(host, space, vm, routes, pin => IntxRouting.Gsi(slot.Slot, pin), peers, log);
        }
        catch
        {
            _handlers.Dispose();
            throw;
        }
    }

    /// <summary>Creates the guest's function from the state of the host's after its reset. Called once.</summary>
    /// <param name="map">The guest's address spaces.</param>
    /// <param name="multiFunction">True when the slot holds other functions, too.</param>
    public void Attach(IGuestAddressMap map, bool multiFunction)
    {
        _guest = _handlers.Attach(_host, list => new AssignedFunction(_host, map, list, Options(Slot, multiFunction)));
        foreach (var flaw in _guest.Flaws)
            _log.BrokenCapabilities(Host.Address, flaw);
        if (_host.IntxGsi is { } gsi)
            _guest.SetInterruptLine((byte)gsi);
    }

    private static AssignedOptions Options(SlotOption slot, bool multiFunction)
    {
        var options = ((PassthruSlot)slot.Emulation).Options;
        return new AssignedOptions
        {
            MultiFunction = multiFunction,
            TrapSubPage = options.TrapSubPage,
            HideRom = options.Rom == PassthruOptions.NoRom,
            Rom = options.Rom is null or PassthruOptions.NoRom ? null : ReadRom(options.Rom),
        };
    }

    private static RomImage ReadRom(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            var content = new byte[Math.Min(file.Length, RomImage.MaximumBytes + 1)];
            file.ReadExactly(content);
            return new RomImage(content);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UserException($"rom={path}: {failure.Message}");
        }
    }

    /// <summary>The guest's slot.</summary>
    public SlotOption Slot { get; }

    /// <summary>The host's function.</summary>
    public HostDevice Host => _host.Host;

    /// <summary>The host's function, opened over VFIO.</summary>
    public VfioFunction Function => _host;

    /// <summary>The guest's function.</summary>
    public AssignedFunction Guest => _guest ?? throw new InvalidOperationException("the device is not attached");

    /// <summary>True while a vCPU is in one of the user's register handlers.</summary>
    public bool HasCpuInHandler => _handlers.HasCpu;

    /// <summary>Signalled when the host wants the device back; null when the host's kernel does not report that.</summary>
    public EventFd? ReturnRequested => _host.ReturnRequested;

    /// <summary>Signalled when the device has reported an uncorrectable error; null when it can't.</summary>
    public EventFd? ErrorReported => _host.ErrorReported;

    /// <summary>Removes the device from the guest, which may run on and finds an empty slot; resets it and returns it to the
    /// host.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _guest?.Dispose();
        _handlers.Dispose();
        _host.Dispose();
    }
}
