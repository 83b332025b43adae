using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Topology;

/// <summary>How a host's function is given to a guest, where there is a choice.</summary>
public sealed record AssignedOptions
{
    /// <summary>The slot holds other functions, too.</summary>
    public bool MultiFunction { get; init; }

    /// <summary>BARs smaller than a page are trapped, even where their page could be mapped.</summary>
    public bool TrapSubPage { get; init; }

    /// <summary>The guest sees no expansion ROM.</summary>
    public bool HideRom { get; init; }

    /// <summary>An expansion ROM in place of the device's own, also for a device that has none.</summary>
    public IHostRegion? Rom { get; init; }
}
