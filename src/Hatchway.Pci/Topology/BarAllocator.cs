using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Topology;

/// <summary>A range of addresses that the host bridge forwards to PCI.</summary>
/// <param name="Start">First address.</param>
/// <param name="Length">Bytes; zero when there is no such window.</param>
public readonly record struct BridgeWindow(ulong Start, ulong Length)
{
    /// <summary>The first address after it.</summary>
    public ulong End => Start + Length;
}

/// <summary>The windows of a host bridge.</summary>
/// <param name="Ports">For I/O BARs.</param>
/// <param name="Low">For memory BARs below 4 GiB.</param>
/// <param name="High">For 64-bit memory BARs above 4 GiB.</param>
/// <param name="HighLimit">What limits the high window, for people, as "the end of the CPU's 39 address bits".</param>
public sealed record BridgeWindows(BridgeWindow Ports, BridgeWindow Low, BridgeWindow High, string HighLimit);

/// <summary>A function with its name for messages.</summary>
public sealed record NamedFunction(string Name, AssignedFunction Function);

/// <summary>Gives BARs their first addresses, as firmware does before it starts a system.</summary>
/// <remarks>
/// BARs are placed largest first, each aligned to its size as the register demands, and each memory BAR in pages of its own, so that it can
/// be mapped. A 64-bit BAR larger than 16 MiB goes above 4 GiB if it can, as does any other 64-bit BAR without room below.
/// </remarks>
public sealed class BarAllocator
{
    private const ulong LargeBar = 16 << 20;
    private readonly BridgeWindows _windows;
    private readonly FreeSpace _ports;
    private readonly FreeSpace _low;
    private readonly FreeSpace _high;

    /// <summary>Starts with empty windows.</summary>
    public BarAllocator(BridgeWindows windows)
    {
        ArgumentNullException.ThrowIfNull(windows);
        _windows = windows;
        (_ports, _low, _high) = (new(windows.Ports), new(windows.Low), new(windows.High));
    }

    /// <summary>Writes addresses into the BARs of functions; decoding stays off.</summary>
    /// <returns>
    /// A line for each BAR that found no room and is left at zero, and one for each window that was too small, with the sum of its BARs.
    /// </returns>
    public IReadOnlyList<string> Assign(IReadOnlyList<NamedFunction> functions)
    {
        ArgumentNullException.ThrowIfNull(functions);
        var all = new List<WantedPlace>();
        foreach (var function in functions)
        {
            foreach (var window in function.Function.Windows)
                all.Add(new WantedPlace(function, window.Bar, Wanted(window.Bar)));
        }
        // The sort is stable, so BARs of equal size get the same addresses at each boot.
        var sorted = all.OrderByDescending(static place => place.Bar.Size).ToList();
        var shortage = new BarShortage();
        foreach (var place in sorted)
        {
            var (owner, bar, _) = place;
            if (Take(place) is not { } address)
            {
                shortage.Add(place);
                continue;
            }
            owner.Function.WriteConfig(new(bar.Register), AccessWidth.Dword, (uint)address);
            if (bar.Kind == BarKind.Memory64)
                owner.Function.WriteConfig(new((ushort)(bar.Register + 4)), AccessWidth.Dword, (uint)(address >> 32));
        }
        return shortage.Explain(sorted, _windows);
    }

    /// <summary>Bytes that a BAR takes in a window, which is its alignment, too.</summary>
    internal static ulong Footprint(BarDescription bar) => bar.Kind == BarKind.Io ? bar.Size : Math.Max(bar.Size, GuestPage.Size);

    // The window that is tried first for a BAR.
    private static WindowKind Wanted(BarDescription bar) => bar.Kind switch
    {
        BarKind.Io => WindowKind.Ports,
        BarKind.Memory64 when bar.Size > LargeBar => WindowKind.High,
        _ => WindowKind.Low,
    };

    private ulong? Take(WantedPlace place)
    {
        var (_, bar, window) = place;
        var size = Footprint(bar);
        return window switch
        {
            WindowKind.Ports => _ports.Take(size),
            WindowKind.High => _high.Take(size) ?? _low.Take(size),
            _ => _low.Take(size) ?? (bar.Kind == BarKind.Memory64 ? _high.Take(size) : null),
        };
    }
}
