using Hatchway.Linux;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;
using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Vfio;

/// <summary>
/// Resets a guest's functions that have no reset of their own, such as many graphics cards', by resetting their slot or bus, and so all
/// functions on it.
/// </summary>
/// <remarks>
/// <para>
/// When one function is opened, the kernel does not reset a bus that has other functions (drivers/pci/pci.c, pci_parent_bus_reset). So
/// this process requests the reset once it has opened all of the guest's functions, before it maps BARs, enables interrupts or reads
/// registers to build the guest's view of them.
/// </para>
/// <para>
/// No request is needed at the end: where one would succeed, the kernel does the same by itself when the last function is closed, and so
/// also when this process is killed (drivers/vfio/pci/vfio_pci_core.c, vfio_pci_dev_set_try_reset). The log then says whether it will.
/// </para>
/// <para>
/// While the host waits for a device to be given back, it holds that device's lock. A hot reset only tries the locks of all devices on
/// the bus, and fails when one is held (drivers/pci/pci.c, pci_bus_trylock), so there is no deadlock. For the one thread that also opens
/// and closes the functions.
/// </para>
/// </remarks>
public sealed partial class HotResets : IDisposable
{
    private readonly IReadOnlyList<IHotResetFunction> _functions;
    private readonly Func<int, bool> _hasGroup;
    private readonly Func<PciAddress, HostDevice?> _find;
    private readonly ILogger _log;

    /// <param name="functions">All functions that the guest gets, opened. They are disposed after this object.</param>
    /// <param name="space">Holds the guest's groups.</param>
    /// <param name="log">Receives what was reset, and what could not be.</param>
    public HotResets(IReadOnlyList<VfioFunction> functions, IommuSpace space, ILogger log)
        : this(functions, GroupsOf(space), static address => HostDevice.Find(new Sysfs(), address), log)
    {
    }

    internal HotResets(
        IReadOnlyList<IHotResetFunction> functions, Func<int, bool> hasGroup, Func<PciAddress, HostDevice?> find, ILogger log) =>
        (_functions, _hasGroup, _find, _log) = (functions, hasGroup, find, log);

    /// <summary>Resets each slot or bus that can be reset, once.</summary>
    /// <exception cref="PassthroughException">A function no longer answers after its reset.</exception>
    public void Reset()
    {
        foreach (var (function, scope, sharing) in Scopes(atStart: true))
        {
            if (scope.IsGuests)
                Reset(function, scope, sharing);
            else
                LogNotReset(Names(sharing), scope.Obstacles, scope.Remedy);
        }
    }

    /// <summary>Logs whether the kernel will reset the functions that are still open. Called before the first is disposed.</summary>
    public void Dispose()
    {
        foreach (var (_, scope, sharing) in Scopes(atStart: false))
        {
            if (scope.IsGuests)
                LogLeftToHost(Names(sharing));
            else if (scope.IsVfios)
                LogLeftToOthers(Names(sharing), scope.Foreign);
            else
                LogLeftAsIs(Names(sharing), scope.Obstacles, scope.Remedy);
        }
    }

    private void Reset(IHotResetFunction function, HotResetScope scope, List<IHotResetFunction> sharing)
    {
        try
        {
            function.HotReset(scope.Groups);
        }
        catch (LinuxException failure)
        {
            LogResetFailed(Names(sharing), failure.Message);
            return;
        }
        foreach (var each in _functions)
        {
            if (scope.Contains(each.Host.Address) && !each.Answers)
                throw new PassthroughException(DeviceChecks.NoAnswer(each.Host.Address, " after a reset").Line);
        }
        foreach (var each in sharing)
            LogReset(each.Host.Address, scope.OthersThan(each.Host.Address));
    }

    // Each slot or bus once: its first function, of those of the guest without a reset of their own, and all of these on it.
    private IEnumerable<(IHotResetFunction First, HotResetScope Scope, List<IHotResetFunction> Sharing)> Scopes(bool atStart)
    {
        var waiting = _functions.Where(static function => function is { IsOpen: true, HasOwnReset: false }).ToList();
        while (waiting.Count > 0)
        {
            var first = waiting[0];
            waiting.RemoveAt(0);
            var address = first.Host.Address;
            HotResetScope? scope;
            try
            {
                var dependents = first.GetDependentFunctions();
                scope = dependents is null ? null : new HotResetScope(address.Domain, dependents, _hasGroup, _find);
            }
            catch (LinuxException failure)
            {
                LogResetFailed(address.ToString(), failure.Message);
                continue;
            }
            if (scope is null)
            {
                // Logged once, for the start and the end.
                if (atStart)
                    LogNoReset(address);
                continue;
            }
            var sharing = waiting.FindAll(function => scope.Contains(function.Host.Address));
            waiting.RemoveAll(sharing.Contains);
            yield return (first, scope, [first, .. sharing]);
        }
    }

    private static Func<int, bool> GroupsOf(IommuSpace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        return space.HasGroup;
    }

    private static string Names(List<IHotResetFunction> functions) =>
        string.Join(", ", functions.Select(static function => function.Host.Address));

    [LoggerMessage(
        LogLevel.Information,
        "{Device} has no reset, nor has its bus: the guest gets it in the state it was left in, and so does the host afterwards")]
    private partial void LogNoReset(PciAddress device);

    [LoggerMessage(LogLevel.Information, "{Device} has been reset (a hot reset of its bus, together with {Others})")]
    private partial void LogReset(PciAddress device, string others);

    [LoggerMessage(LogLevel.Warning, "{Devices} can't be reset: {Reason}")]
    private partial void LogResetFailed(string devices, string reason);

    [LoggerMessage(
        LogLevel.Warning,
        "{Devices} can only be reset with the whole bus, but {Obstacles}: the guest finds them as they were left{Remedy}")]
    private partial void LogNotReset(string devices, string obstacles, string remedy);

    [LoggerMessage(
        LogLevel.Information, "the host resets {Devices} as the guest lets the last of its functions there go (a hot reset of the bus)")]
    private partial void LogLeftToHost(string devices);

    [LoggerMessage(
        LogLevel.Warning,
        "{Devices} can only be reset with the whole bus: the host does so once nobody uses {Foreign}; "
        + "whoever opens one of them before that finds it as this guest left it")]
    private partial void LogLeftToOthers(string devices, string foreign);

    [LoggerMessage(
        LogLevel.Warning,
        "{Devices} can only be reset with the whole bus, but {Obstacles}: their next user finds them as this guest left them{Remedy}")]
    private partial void LogLeftAsIs(string devices, string obstacles, string remedy);
}
