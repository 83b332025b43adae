using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>The direction of an access.</summary>
public enum AccessDirection
{
    /// <summary>From the device.</summary>
    Read,

    /// <summary>To the device.</summary>
    Write,
}

/// <summary>One access to one register of a function. A read can have side effects like a write, so both are the same operation.</summary>
/// <param name="Direction">Read or write.</param>
/// <param name="Bar">The BAR, 0 to 5; null means config space.</param>
/// <param name="Offset">Bytes from the start, a multiple of the width.</param>
/// <param name="Width">1, 2 or 4 bytes; in memory BARs also 8.</param>
/// <param name="Value">The value to write, in the low bytes; ignored in a read.</param>
public readonly record struct RegisterAccess(AccessDirection Direction, BarIndex? Bar, ulong Offset, AccessWidth Width, ulong Value = 0)
{
    /// <summary>The BAR or config space, for people.</summary>
    public string Place => Bar is { } bar ? bar.ToString() : "config space";

    /// <summary>Says what is wrong with the access, or gives null.</summary>
    /// <param name="size">Bytes of the BAR or config space.</param>
    /// <param name="widest">The widest access that can be made there.</param>
    internal string? Fault(ulong size, AccessWidth widest)
    {
        var bytes = (ulong)Width;
        if (!Width.IsValid() || Width > widest)
            return $"{Place} is not accessed by {bytes} bytes at once: {string.Join(", ", Widths(widest))} can be";
        if (Offset % bytes != 0)
            return $"{Place} at {Offset:x}h: an access of {bytes} bytes begins at a multiple of {bytes}";
        // Comparing the offset first keeps the subtraction from overflowing.
        if (Offset >= size || size - Offset < bytes)
            return $"{Place} at {Offset:x}h: beyond its {size:x}h bytes";
        return Direction == AccessDirection.Write && Value > Width.AllOnes()
            ? $"{Place} at {Offset:x}h: {Value:x}h does not fit {bytes} byte{(bytes == 1 ? "" : "s")}"
            : null;
    }

    private static IEnumerable<int> Widths(AccessWidth widest)
    {
        for (var bytes = 1; bytes <= (int)widest; bytes *= 2)
            yield return bytes;
    }
}
