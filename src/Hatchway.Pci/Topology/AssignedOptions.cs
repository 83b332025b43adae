using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Topology;

/// <summary>The user's choices about a function that is given to a guest.</summary>
public sealed record AssignedOptions
{
    /// <summary>True when the slot holds other functions, too.</summary>
    public bool MultiFunction { get; init; }

    /// <summary>True to trap BARs smaller than a page, even where their page could be mapped.</summary>
    public bool TrapSubPage { get; init; }

    /// <summary>True to hide the expansion ROM.</summary>
    public bool HideRom { get; init; }

    /// <summary>An expansion ROM in place of the device's own, even for a device that has none; or null.</summary>
    public IHostRegion? Rom { get; init; }
}
