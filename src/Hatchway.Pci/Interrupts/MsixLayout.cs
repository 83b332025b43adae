using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Interrupts;

/// <summary>The places of a function's MSI-X table and pending bits, where the guest sees its own instead (PCIe 6.0 §7.7.2).</summary>
/// <param name="Count">Number of vectors, 1 to 2048.</param>
/// <param name="TableBar">The table's BAR.</param>
/// <param name="TableOffset">The table's first byte in it.</param>
/// <param name="PbaBar">The pending bits' BAR.</param>
/// <param name="PbaOffset">The pending bits' first byte in it.</param>
public readonly record struct MsixLayout(int Count, BarIndex TableBar, ulong TableOffset, BarIndex PbaBar, ulong PbaOffset)
{
    /// <summary>Reads the layout from a capability of full length.</summary>
    public static MsixLayout Read(IHostConfigSpace config, Capability msix)
    {
        ArgumentNullException.ThrowIfNull(config);
        var control = config.ReadWord(msix.Offset + Msix.Control);
        var table = config.ReadDword(msix.Offset + Msix.Table);
        var pba = config.ReadDword(msix.Offset + Msix.Pba);
        return new MsixLayout(
            Msix.Entries(control),
            new BarIndex((byte)(table & Msix.BirMask)), table & ~Msix.BirMask,
            new BarIndex((byte)(pba & Msix.BirMask)), pba & ~Msix.BirMask);
    }

    /// <summary>Finds a function's layout; null when it has no MSI-X capability of full length.</summary>
    public static MsixLayout? Find(IHostConfigSpace config, CapabilityChains chains)
    {
        ArgumentNullException.ThrowIfNull(chains);
        return chains.Find(CapabilityId.Msix) is { Length: Msix.Length } msix ? Read(config, msix) : null;
    }

    /// <summary>True for a byte of the table.</summary>
    public bool IsInTable(BarIndex bar, ulong offset) => bar == TableBar && offset >= TableOffset && offset - TableOffset < TableLength;

    /// <summary>The table's range in its BAR.</summary>
    /// <param name="handler">The handler of the range.</param>
    public BarHandlerRange TableRange(IBarHandler handler) =>
        new(TableBar, TableOffset, TableLength, "MSI-X table", handler);

    /// <summary>The pending bits' range in their BAR: a bit for each vector, in whole 64-bit words.</summary>
    /// <param name="handler">The handler of the range.</param>
    public BarHandlerRange PbaRange(IBarHandler handler) =>
        new(PbaBar, PbaOffset, (ulong)((Count + 63) / 64 * 8), "MSI-X pending bits", handler);

    private ulong TableLength => (ulong)(Count * Msix.EntryBytes);
}
