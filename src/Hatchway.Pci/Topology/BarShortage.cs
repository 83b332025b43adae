using System.Globalization;
using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Topology;

/// <summary>One of a host bridge's windows.</summary>
internal enum WindowKind : byte
{
    Ports,
    Low,
    High,
}

/// <summary>A BAR and the window that it should be placed in.</summary>
internal sealed record WantedPlace(NamedFunction Function, BarDescription Bar, WindowKind Window);

/// <summary>Collects the BARs that found no room, and explains why.</summary>
internal sealed class BarShortage
{
    private static readonly (ulong Bytes, string Name)[] Units = [(1ul << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    private readonly List<WantedPlace> _without = [];

    /// <summary>Adds a BAR that found no room.</summary>
    public void Add(WantedPlace place) => _without.Add(place);

    /// <summary>Gives a line for each BAR without room, and one for each window that these should have been in.</summary>
    /// <param name="all">All BARs, in the order in which they were placed.</param>
    /// <param name="windows">The host bridge's windows.</param>
    public IReadOnlyList<string> Explain(IReadOnlyList<WantedPlace> all, BridgeWindows windows)
    {
        if (_without.Count == 0)
            return [];
        var lines = new List<string>();
        foreach (var (function, bar, _) in _without)
        {
            lines.Add(
                $"{function.Name} {bar.Index} of {Format(bar.Size)} finds no room and stays without an address: the guest can't use it");
        }
        foreach (var kind in _without.Select(static bar => bar.Window).Distinct())
            lines.Add(Arithmetic(kind, [.. all.Where(bar => bar.Window == kind)], windows));
        return lines;
    }

    private static string Arithmetic(WindowKind kind, WantedPlace[] bars, BridgeWindows windows)
    {
        var (window, name, limit) = kind switch
        {
            WindowKind.Ports => (windows.Ports, "I/O ports", "the last port"),
            WindowKind.Low => (windows.Low, "memory below 4 GiB", "the machine's own devices"),
            _ => (windows.High, "memory above 4 GiB", windows.HighLimit),
        };
        var sum = bars.Aggregate(0ul, static (sum, bar) => sum + BarAllocator.Footprint(bar.Bar));
        return $"{name}: {string.Join(" + ", bars.Select(static bar => $"{bar.Function.Name} {bar.Bar.Index} {Format(bar.Bar.Size)}"))} "
            + $"= {Format(sum)}, with alignment {Format(Needed(bars, window.Start))} from 0x{window.Start:x} on; "
            + $"there are {Format(window.Length)}, up to {limit}";
    }

    // Bytes that a window needs for all of these BARs, alignment included.
    private static ulong Needed(WantedPlace[] bars, ulong start)
    {
        var free = new FreeSpace(new BridgeWindow(start, (1ul << 63) - start));
        var end = start;
        foreach (var bar in bars)
        {
            var size = BarAllocator.Footprint(bar.Bar);
            end = Math.Max(end, free.Take(size) + size ?? 1ul << 63);
        }
        return end - start;
    }

    private static string Format(ulong bytes)
    {
        foreach (var (unit, name) in Units)
        {
            if (bytes >= unit && bytes % (unit / 1024) == 0)
                return string.Create(CultureInfo.InvariantCulture, $"{(decimal)bytes / unit:0.###} {name}");
        }
        return $"{bytes} bytes";
    }
}
