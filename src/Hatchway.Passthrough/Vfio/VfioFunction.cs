using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Host;
using Hatchway.Passthrough.Kvm;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Topology;
using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Vfio;

/// <summary>A PCI function of the host, opened over VFIO for one guest.</summary>
/// <remarks>It is reset when it is opened and when it is disposed, so that neither guest nor host finds state that the other left.
/// <see cref="HotResets"/> handles functions without a reset of their own.</remarks>
public sealed partial class VfioFunction : IHostFunction, IHotResetFunction, IDisposable
{
    private readonly IommuSpace _space;
    private readonly VfioDevice _device;
    private readonly VfioRegion?[] _regions = new VfioRegion?[BarIndex.Count];
    private readonly VfioIntx? _intx;
    private readonly VfioMessageInterrupts? _msi;
    private readonly VfioMessageInterrupts? _msix;
    private readonly ILogger _log;

    private VfioFunction(
        HostDevice host,
        IommuSpace space,
        VfioDevice device,
        KvmVm vm,
        InterruptRoutes routes,
        Func<int, uint> intxGsi,
        bool peers,
        ILogger log)
    {
        Host = host;
        _space = space;
        _device = device;
        _log = log;
        HasOwnReset = device.CanReset;
        var name = host.Address.ToString();
        Config = new VfioConfigSpace(device, device.GetRegionInfo(VfioPciIndex.ConfigRegion));
        for (byte i = 0; i < BarIndex.Count; i++)
        {
            if (TryGetRegion(device, i) is { Size: > 0 } info)
                _regions[i] = new VfioRegion($"{name} {new BarIndex(i)}", device, info, vm, peers ? space : null, log);
        }
        var pin = Config.ReadByte(Pci.Spec.Header.InterruptPin);
        if (device.GetIrqCount(VfioPciIndex.IntxIrq) > 0 && pin is >= 1 and <= 4)
        {
            IntxGsi = intxGsi(pin);
            _intx = new VfioIntx(host.Address, device, vm, IntxGsi.Value, log);
        }
        if (device.GetIrqCount(VfioPciIndex.MsiIrq) is > 0 and var msi)
            _msi = new VfioMessageInterrupts(name, device, VfioPciIndex.MsiIrq, msi, vm, routes, log);
        if (device.GetIrqCount(VfioPciIndex.MsixIrq) is > 0 and var msix)
            _msix = new VfioMessageInterrupts(name, device, VfioPciIndex.MsixIrq, msix, vm, routes, log);
    }

    /// <summary>The function as the host's sysfs describes it.</summary>
    public HostDevice Host { get; }

    /// <summary>True when the kernel can reset it alone, without other functions of its slot or bus.</summary>
    public bool HasOwnReset { get; }

    /// <summary>The GSI that its interrupt pin is wired to, or null when it has no pin.</summary>
    public uint? IntxGsi { get; }

    /// <summary>
    /// Signalled when the host wants the function back: vfio-pci is being unbound or the device removed, which waits until the function
    /// is disposed (drivers/vfio/vfio_main.c, vfio_unregister_group_dev). Null when the kernel does not report it.
    /// </summary>
    public EventFd? ReturnRequested { get; private set; }

    /// <summary>
    /// Signalled when the device has reported an uncorrectable error (drivers/vfio/pci/vfio_pci_core.c, vfio_pci_core_aer_err_detected).
    /// Null when it has no PCI Express capability, and so can't report any.
    /// </summary>
    public EventFd? ErrorReported { get; private set; }

    /// <inheritdoc/>
    public IHostConfigSpace Config { get; }

    /// <inheritdoc/>
    public IIntxInterrupt? Intx => _intx;

    /// <inheritdoc/>
    public IMessageInterrupts? Msi => _msi;

    /// <inheritdoc/>
    public IMessageInterrupts? Msix => _msix;

    /// <summary>Opens a function and resets it, if it has a reset of its own.</summary>
    /// <param name="host">A function that has passed <see cref="Preconditions"/>.</param>
    /// <param name="space">The VM's IOMMU address space.</param>
    /// <param name="vm">The VM.</param>
    /// <param name="routes">Its interrupt routes.</param>
    /// <param name="intxGsi">Gives the GSI that an interrupt pin, 1 to 4, of the function's slot is wired to.</param>
    /// <param name="peers">True to let the guest's devices reach its BARs by DMA.</param>
    /// <param name="log">Receives limitations and failures.</param>
    /// <exception cref="PassthroughException">It can't be opened, or does not answer.</exception>
    public static VfioFunction Open(
        HostDevice host, IommuSpace space, KvmVm vm, InterruptRoutes routes, Func<int, uint> intxGsi, bool peers, ILogger log)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(intxGsi);
        var device = space.Open(host);
        try
        {
            var function = new VfioFunction(
                host, space, device, vm, routes, intxGsi, peers,
                new LimitedLogger(log, host.Address.ToString(), LimitedLogger.MostOfDevice, TimeProvider.System));
            if (!Answers(function.Config))
                throw new PassthroughException(DeviceChecks.NoAnswer(host.Address).Line);
            function.Reset();
            if (!Answers(function.Config))
                throw new PassthroughException(DeviceChecks.NoAnswer(host.Address, " after a reset").Line);
            // Last, so that a failure before needs no eventfds closed.
            function.ReturnRequested = function.Listen(VfioPciIndex.RequestIrq);
            function.ErrorReported = function.Listen(VfioPciIndex.ErrorIrq);
            return function;
        }
        catch (LinuxException failure)
        {
            space.Close(host, device);
            throw new PassthroughException($"{host.Address}: {failure.Message}", failure);
        }
        catch
        {
            space.Close(host, device);
            throw;
        }
    }

    /// <inheritdoc/>
    public IHostRegion? Region(BarIndex bar) => _regions[bar.Value];

    /// <summary>
    /// Switches interrupts off, resets the function, unmaps its BARs and closes it. The guest's side of it must have been removed
    /// before. An access of the guest that is still in progress is completed first.
    /// </summary>
    public void Dispose()
    {
        _intx?.Dispose();
        _msi?.Dispose();
        _msix?.Dispose();
        Reset();
        foreach (var region in _regions)
            region?.Dispose();
        _space.Close(Host, _device);
        ReturnRequested?.Dispose();
        ErrorReported?.Dispose();
    }

    /// <summary>False when the function's registers read as all ones, as those of one that has gone do.</summary>
    /// <remarks>This reads revision and class, since VFIO reads those from the function each time. The vendor and device ids would not do:
    /// VFIO answers them from a copy (drivers/vfio/pci/vfio_pci_config.c, init_pci_cap_basic_perm).</remarks>
    internal static bool Answers(IHostConfigSpace config) => config.ReadDword(Pci.Spec.Header.RevisionId) != uint.MaxValue;

    bool IHotResetFunction.IsOpen => !_device.IsClosed;

    bool IHotResetFunction.Answers => Answers(Config);

    IReadOnlyList<DependentFunction>? IHotResetFunction.GetDependentFunctions() => _device.GetDependentFunctions();

    void IHotResetFunction.HotReset(IReadOnlyList<int> groups) => _device.HotReset(_space.Groups(groups));

    // A failed reset is logged, and the device is used as it is.
    private void Reset()
    {
        if (!HasOwnReset)
            return;
        try
        {
            _device.Reset();
            LogReset(Host.Address, Host.ResetMethods ?? "a way that this kernel does not name");
        }
        catch (LinuxException failure) when (failure.Errno == Errno.EAGAIN)
        {
            // The kernel does not reset a device whose lock is held, as it is while the host unbinds or removes the device.
            LogHeld(Host.Address);
        }
        catch (LinuxException failure)
        {
            LogResetFailed(Host.Address, failure.Message);
        }
    }

    // An index that the device lacks, such as the error index without PCI Express, gives EINVAL or has no vectors.
    private EventFd? Listen(int index)
    {
        try
        {
            if (_device.GetIrqCount(index) == 0)
                return null;
        }
        catch (LinuxException failure) when (failure.Errno == Errno.EINVAL)
        {
            return null;
        }
        var signalled = EventFd.Create();
        try
        {
            _device.SetIrqEventFds(index, 0, [signalled]);
            return signalled;
        }
        catch
        {
            signalled.Dispose();
            throw;
        }
    }

    // For a function without a ROM, VFIO answers EINVAL (drivers/vfio/pci/vfio_pci_core.c), which is no error.
    private static VfioRegionInfo? TryGetRegion(VfioDevice device, int index)
    {
        try
        {
            return device.GetRegionInfo(index);
        }
        catch (LinuxException failure) when (failure.Errno == Errno.EINVAL)
        {
            return null;
        }
    }

    [LoggerMessage(LogLevel.Information, "{Device} has been reset (the host's reset methods: {Methods})")]
    private partial void LogReset(PciAddress device, string methods);

    [LoggerMessage(
        LogLevel.Information,
        "{Device} is not reset, since the host holds it at this moment: the host gets it in the state it was left in")]
    private partial void LogHeld(PciAddress device);

    [LoggerMessage(LogLevel.Warning, "{Device} can't be reset: {Reason}")]
    private partial void LogResetFailed(PciAddress device, string reason);
}
