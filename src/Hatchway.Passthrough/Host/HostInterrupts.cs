using System.Globalization;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>How often the host's CPUs were interrupted by devices that VFIO has (proc(5), <c>/proc/interrupts</c>).</summary>
public static class HostInterrupts
{
    /// <summary>Interrupts of a function since its vectors in use were switched on, over all vectors and CPUs.</summary>
    /// <returns>0 for a function that VFIO has not, or whose interrupts are off.</returns>
    public static long Count(PciAddress address)
    {
        using var file = new StreamReader("/proc/interrupts");
        return Count(file, address);
    }

    /// <summary>The same, from such a table.</summary>
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

    /// <summary>Whose interrupts come by a line of the host's, as the kernel names them; empty when it is nobody's.</summary>
    /// <param name="table">Such a table.</param>
    /// <param name="number">The line's number.</param>
    public static IReadOnlyList<string> Owners(TextReader table, int number)
    {
        ArgumentNullException.ThrowIfNull(table);
        var start = string.Create(CultureInfo.InvariantCulture, $"{number}:");
        while (table.ReadLine()?.Trim() is { } line)
        {
            if (!line.StartsWith(start, StringComparison.Ordinal))
                continue;
            // A number for each CPU, the controller, its input and how that is handled, and then the owners, by commas.
            var words = line[start.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .SkipWhile(static word => long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out _));
            return string.Join(' ', words.Skip(2)).Split(", ", StringSplitOptions.RemoveEmptyEntries);
        }
        return [];
    }
}
