using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Handlers;

/// <summary>Puts a library's handlers on a function's list, each under a watch.</summary>
/// <remarks>Used by one thread before the guest runs; then only its log is.</remarks>
public sealed class DeviceContext : IDeviceContext
{
    private readonly IHostFunction _function;
    private readonly BarHandlerList _handlers;
    private readonly HandlerWatch _watch;
    private readonly Action<string> _log;

    /// <param name="function">The function behind.</param>
    /// <param name="host">Where it is on the host.</param>
    /// <param name="guest">Where it is in the guest.</param>
    /// <param name="handlers">Where the handlers go.</param>
    /// <param name="watch">Tells of handlers that throw or hang.</param>
    /// <param name="log">Where handlers' own lines go; called on any thread.</param>
    public DeviceContext(
        IHostFunction function, PciAddress host, PciAddress guest, BarHandlerList handlers, HandlerWatch watch, Action<string> log)
    {
        ArgumentNullException.ThrowIfNull(function);
        _function = function;
        _handlers = handlers;
        _watch = watch;
        _log = log;
        Host = host;
        Guest = guest;
        VendorId = function.Config.ReadWord(Header.VendorId);
        DeviceId = function.Config.ReadWord(Header.DeviceId);
    }

    /// <inheritdoc/>
    public ushort VendorId { get; }

    /// <inheritdoc/>
    public ushort DeviceId { get; }

    /// <inheritdoc/>
    public PciAddress Host { get; }

    /// <inheritdoc/>
    public PciAddress Guest { get; }

    /// <inheritdoc/>
    public ulong BarSize(BarIndex bar) => bar.Value < BarIndex.BarCount ? _function.Region(bar)?.Size ?? 0 : 0;

    /// <inheritdoc/>
    public void Handle(BarIndex bar, ulong offset, ulong length, string name, IBarHandler handler)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(handler);
        if (bar.Value >= BarIndex.BarCount)
            throw new HandlerException($"'{name}': no handler goes on {bar}; BARs are 0 to 5");
        var watched = _watch.Over(handler, $"'{name}' ({bar} {offset:x}h)");
        AddRange(_function, _handlers, new BarHandlerRange(bar, offset, length, $"'{name}'", watched), ulong.MaxValue);
    }

    /// <inheritdoc/>
    public void Log(string line) => _log(line);

    /// <summary>Puts a range on the list, if the function has that BAR and the range lies in it.</summary>
    /// <param name="function">The function behind.</param>
    /// <param name="handlers">The list.</param>
    /// <param name="range">The range; it must lie in its BAR, all of it.</param>
    /// <param name="longest">It is cut to this many bytes.</param>
    /// <exception cref="HandlerException">The BAR is missing or too small, or another handler has a part.</exception>
    internal static void AddRange(IHostFunction function, BarHandlerList handlers, BarHandlerRange range, ulong longest)
    {
        if (function.Region(range.Bar) is not { Size: > 0 } region)
            throw new HandlerException($"{range.Name}: the device has no {range.Bar}; it has {Bars(function)}");
        if (range.Offset >= region.Size || range.Length > region.Size - range.Offset)
        {
            throw new HandlerException(
                $"{range.Name}: {range.Length:x}h bytes at {range.Offset:x}h do not lie in {range.Bar}, which has {region.Size:x}h");
        }
        handlers.Add(range with { Length = Math.Min(range.Length, longest) });
    }

    private static string Bars(IHostFunction function)
    {
        var there = new List<BarIndex>();
        for (byte i = 0; i < BarIndex.BarCount; i++)
        {
            if (function.Region(new BarIndex(i)) is { Size: > 0 })
                there.Add(new BarIndex(i));
        }
        return there.Count == 0 ? "none" : string.Join(", ", there);
    }
}
