using System.Globalization;
using Hatchway.Pci.Address;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Bars;

/// <summary>A range of addresses that the host bridge forwards to PCI.</summary>
/// <param name="Start">First address.</param>
/// <param name="Length">Bytes; zero for a window that is not there.</param>
public readonly record struct BridgeWindow(ulong Start, ulong Length)
{
    /// <summary>The first address after it.</summary>
    public ulong End => Start + Length;
}

/// <summary>Gives BARs their first addresses, as firmware does before it starts a system.</summary>
/// <remarks>
/// Largest first, each aligned to its size as the register demands, and memory BARs to a page of their own, so that each can be mapped. A
/// 64-bit BAR that is larger than 16 MiB goes above 4 GiB, as does one for which there is no room below.
/// </remarks>
public sealed class BarAllocator
{
    private const ulong LargeBar = 16 << 20;
    private ulong _nextPort;
    private ulong _nextLow;
    private ulong _nextHigh;
    private readonly BridgeWindow _ports;
    private readonly BridgeWindow _low;
    private readonly BridgeWindow _high;

    /// <summary>Starts with empty windows.</summary>
    public BarAllocator(BridgeWindow ports, BridgeWindow low, BridgeWindow high)
    {
        (_ports, _low, _high) = (ports, low, high);
        (_nextPort, _nextLow, _nextHigh) = (ports.Start, low.Start, high.Start);
    }

    /// <summary>Writes addresses into the BARs of functions; decoding stays off.</summary>
    /// <returns>A sentence for each BAR that found no room; it is left at zero.</returns>
    public IReadOnlyList<string> Assign(IReadOnlyList<AssignedFunction> functions)
    {
        ArgumentNullException.ThrowIfNull(functions);
        var all = new List<(AssignedFunction Function, BarDescription Bar)>();
        foreach (var function in functions)
        {
            foreach (var window in function.Windows)
                all.Add((function, window.Bar));
        }
        // A stable order for equal sizes, so that a guest finds its devices where they were the last time.
        var sorted = all.OrderByDescending(static entry => entry.Bar.Size).ToList();
        var failures = new List<string>();
        foreach (var (function, bar) in sorted)
        {
            if (Place(bar) is not { } address)
            {
                failures.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{bar.Index} of 0x{bar.Size:x} bytes finds no room in the host bridge's windows: {Windows(bar.Kind)}"));
                continue;
            }
            function.WriteConfig(new(bar.Register), AccessWidth.Dword, (uint)address);
            if (bar.Kind == BarKind.Memory64)
                function.WriteConfig(new((ushort)(bar.Register + 4)), AccessWidth.Dword, (uint)(address >> 32));
        }
        return failures;
    }

    private string Windows(BarKind kind) => kind switch
    {
        BarKind.Io => $"0x{_ports.Length:x} I/O ports",
        BarKind.Memory64 => $"0x{_low.Length:x} bytes below 4 GiB, 0x{_high.Length:x} above",
        _ => $"0x{_low.Length:x} bytes below 4 GiB",
    };

    private ulong? Place(BarDescription bar)
    {
        if (bar.Kind == BarKind.Io)
            return Take(_ports, ref _nextPort, bar.Size, bar.Size);
        var alignment = Math.Max(bar.Size, BarWindow.PageSize);
        if (bar.Kind == BarKind.Memory64 && bar.Size > LargeBar && Take(_high, ref _nextHigh, bar.Size, alignment) is { } high)
            return high;
        return Take(_low, ref _nextLow, alignment, alignment)
            ?? (bar.Kind == BarKind.Memory64 ? Take(_high, ref _nextHigh, alignment, alignment) : null);
    }

    private static ulong? Take(BridgeWindow window, ref ulong next, ulong size, ulong alignment)
    {
        var start = (next + alignment - 1) & ~(alignment - 1);
        if (start < next || start + size < start || start + size > window.End)
            return null;
        next = start + size;
        return start;
    }
}
