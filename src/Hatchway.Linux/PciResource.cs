using System.Globalization;

namespace Hatchway.Linux;

/// <summary>A range that the kernel has assigned to a PCI function: a line of its <c>resource</c> file in sysfs (Linux
/// Documentation/PCI/sysfs-pci.rst).</summary>
/// <param name="Start">The first address, as the processor sees it.</param>
/// <param name="Last">The last address; both are 0 for a BAR that the function lacks.</param>
/// <param name="Flags">Flags of linux/ioport.h.</param>
public readonly record struct PciResource(ulong Start, ulong Last, ulong Flags)
{
    private const ulong IORESOURCE_IO = 0x100;
    private const ulong IORESOURCE_MEM = 0x200;
    private const ulong IORESOURCE_PREFETCH = 0x2000;
    private const ulong IORESOURCE_MEM_64 = 0x0010_0000;
    private const ulong IORESOURCE_UNSET = 0x2000_0000;
    private const ulong IORESOURCE_ROM_SHADOW = 1 << 1;

    /// <summary>Bytes; 0 for none.</summary>
    public ulong Size => (Flags & (IORESOURCE_IO | IORESOURCE_MEM)) == 0 || Last < Start ? 0 : Last - Start + 1;

    /// <summary>True for I/O ports, false for memory.</summary>
    public bool IsPorts => (Flags & IORESOURCE_IO) != 0;

    /// <summary>True for memory that may be prefetched.</summary>
    public bool IsPrefetchable => (Flags & IORESOURCE_PREFETCH) != 0;

    /// <summary>True for a memory BAR of 64 bits.</summary>
    public bool Is64Bit => (Flags & IORESOURCE_MEM_64) != 0;

    /// <summary>True when the kernel has found no address for it.</summary>
    public bool IsUnassigned => (Flags & IORESOURCE_UNSET) != 0;

    /// <summary>True for a ROM that the firmware has copied to memory (the boot display's, at C0000h).</summary>
    public bool IsRomShadow => (Flags & IORESOURCE_ROM_SHADOW) != 0;

    /// <summary>Reads a <c>resource</c> file's lines: BARs 0 to 5, the ROM, then a bridge's windows or virtual functions' BARs.</summary>
    /// <returns>The lines before the first malformed one.</returns>
    public static IReadOnlyList<PciResource> ParseAll(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var resources = new List<PciResource>();
        Span<Range> words = stackalloc Range[4];
        Span<ulong> values = stackalloc ulong[3];
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (line.Split(words, ' ', StringSplitOptions.RemoveEmptyEntries) != values.Length)
                break;
            for (var i = 0; i < values.Length; i++)
            {
                var word = line[words[i]];
                var digits = word.StartsWith("0x") ? word[2..] : word;
                if (!ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out values[i]))
                    return resources;
            }
            resources.Add(new PciResource(values[0], values[1], values[2]));
        }
        return resources;
    }
}
