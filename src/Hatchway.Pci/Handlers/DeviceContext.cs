using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Handlers;

/// <summary>Adds a library's handlers to a function's list, each wrapped by a watch.</summary>
/// <remarks>One thread uses it before the guest runs; after that only <see cref="Log"/> is called, on any thread.</remarks>
public sealed class DeviceContext : IDeviceContext
{
    private readonly IHostFunction _function;
    private readonly BarHandlerList _handlers;
    private readonly HandlerWatch _watch;
    private readonly Action<string> _log;

    /// <param name="function">The host function.</param>
    /// <param name="host">Its address on the host.</param>
    /// <param name="guest">Its address in the guest.</param>
    /// <param name="handlers">The list that handlers are added to.</param>
    /// <param name="watch">Warns of handlers that throw or hang.</param>
    /// <param name="log">Takes handlers' own lines; called on any thread.</param>
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

    /// <summary>Adds a range to the list, if the function has that BAR and the range lies in it.</summary>
    /// <param name="function">The host function.</param>
    /// <param name="handlers">The list.</param>
    /// <param name="range">The range, which must lie wholly in its BAR.</param>
    /// <param name="longest">Bytes that the range is cut to.</param>
    /// <exception cref="HandlerException">The BAR is missing or too small, or the range overlaps another handler's.</exception>
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
