namespace Hatchway.Pci.Address;

/// <summary>A byte offset into a function's config space.</summary>
/// <param name="Value">0 to 255 for conventional PCI, 0 to 4095 for PCI Express (PCIe 6.0 §7.2).</param>
public readonly record struct ConfigOffset(ushort Value)
{
    /// <summary>Adds <paramref name="delta"/> bytes.</summary>
    public static ConfigOffset operator +(ConfigOffset offset, int delta) => new((ushort)(offset.Value + delta));

    /// <summary>True when an access of a width at <paramref name="start"/> covers this byte.</summary>
    public bool IsIn(ConfigOffset start, AccessWidth width) => start.Value <= Value && Value < start.Value + (int)width;

    /// <inheritdoc/>
    public override string ToString() => $"{Value:x3}h";
}
