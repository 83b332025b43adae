using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Pci.Topology;

/// <summary>The function behind an assigned function: a device of the host over VFIO, one in another process, or one in software.</summary>
/// <remarks>Any thread may call.</remarks>
public interface IHostFunction
{
    /// <summary>The function's own config space.</summary>
    IHostConfigSpace Config { get; }

    /// <summary>The region behind a BAR or the ROM, or null when it decodes nothing.</summary>
    IHostRegion? Region(BarIndex bar);

    /// <summary>INTx, or null when the function has no interrupt pin.</summary>
    IIntxInterrupt? Intx { get; }

    /// <summary>MSI, or null.</summary>
    IMessageInterrupts? Msi { get; }

    /// <summary>MSI-X, or null.</summary>
    IMessageInterrupts? Msix { get; }
}
