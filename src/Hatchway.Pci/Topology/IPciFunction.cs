using Hatchway.Pci.Address;

namespace Hatchway.Pci.Topology;

/// <summary>A PCI function on the guest's bus, accessed through its config space.</summary>
/// <remarks>Several vCPU threads may call at once. Nothing that a guest does makes it throw.</remarks>
public interface IPciFunction
{
    /// <summary>Reads config space; offsets beyond the function's size read as zero, as an unimplemented register does.</summary>
    /// <param name="offset">Naturally aligned to <paramref name="width"/>.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    uint ReadConfig(ConfigOffset offset, AccessWidth width);

    /// <summary>Writes config space, and applies the write's effects before it returns.</summary>
    /// <param name="offset">Naturally aligned to <paramref name="width"/>.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    /// <param name="value">The low <paramref name="width"/> bytes count.</param>
    void WriteConfig(ConfigOffset offset, AccessWidth width, uint value);
}
