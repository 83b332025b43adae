using System.Globalization;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>Reads the host's interrupts, those of VFIO's devices above all, from <c>/proc/interrupts</c> (proc(5)).</summary>
public static class HostInterrupts
{
    /// <summary>Counts a function's interrupts since its current vectors were enabled, over all vectors and CPUs.</summary>
    /// <returns>0 for a function that VFIO does not have, or whose interrupts are off.</returns>
    public static long Count(PciAddress address)
    {
        using var file = new StreamReader("/proc/interrupts");
        return Count(file, address);
    }

    /// <summary>Counts them in the text of <c>/proc/interrupts</c>.</summary>
    public static long Count(TextReader table, PciAddress address)
    {
        ArgumentNullException.ThrowIfNull(table);
        // drivers/vfio/pci/vfio_pci_intrs.c names a vector "vfio-msix[3](0000:00:06.0)", "vfio-msi[0](...)" or "vfio-intx(...)".
        var name = $"({address})";
        var count = 0L;
        while (table.ReadLine() is { } line)
        {
            if (!line.EndsWith(name, StringComparison.Ordinal) || !line.Contains("vfio-", StringComparison.Ordinal))
                continue;
            // "27:", then a number for each CPU, then the interrupt controller's name.
            var words = line.AsSpan(line.IndexOf(':', StringComparison.Ordinal) + 1);
            foreach (var range in words.Split(' '))
            {
                if (words[range].IsEmpty)
                    continue;
                if (!long.TryParse(words[range], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                    break;
                count += number;
            }
        }
        return count;
    }

    /// <summary>Lists the handlers of one of the host's interrupts, by their names in the kernel; empty when there are none.</summary>
    /// <param name="table">The text of <c>/proc/interrupts</c>.</param>
    /// <param name="number">The interrupt's number.</param>
    public static IReadOnlyList<string> Owners(TextReader table, int number)
    {
        ArgumentNullException.ThrowIfNull(table);
        var start = string.Create(CultureInfo.InvariantCulture, $"{number}:");
        while (table.ReadLine()?.Trim() is { } line)
        {
            if (!line.StartsWith(start, StringComparison.Ordinal))
                continue;
            // A number for each CPU, the controller, its input with the trigger mode, and then the handlers, separated by commas.
            var words = line[start.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .SkipWhile(static word => long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out _));
            return string.Join(' ', words.Skip(2)).Split(", ", StringSplitOptions.RemoveEmptyEntries);
        }
        return [];
    }
}
