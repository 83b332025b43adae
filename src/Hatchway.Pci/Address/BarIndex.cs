namespace Hatchway.Pci.Address;

/// <summary>The index of one of a function's base address registers: 0 to 5, or the expansion ROM's.</summary>
/// <param name="Value">0 to 5 for BAR0 to BAR5, 6 for the expansion ROM (PCIe 6.0 §7.5.1.2.1 and §7.5.1.2.4).</param>
public readonly record struct BarIndex(byte Value)
{
    /// <summary>Number of BARs, without the ROM's.</summary>
    public const byte BarCount = 6;

    /// <summary>Number of registers, with the ROM's.</summary>
    public const int Count = BarCount + 1;

    /// <summary>The expansion ROM base address register.</summary>
    public static BarIndex Rom => new(BarCount);

    /// <inheritdoc/>
    public override string ToString() => Value == BarCount ? "ROM" : $"BAR{Value}";
}
