using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Host;

namespace Hatchway.Passthrough.Vfio;

/// <summary>A guest's function, as <see cref="HotResets"/> uses it.</summary>
internal interface IHotResetFunction
{
    /// <summary>The function as the host's sysfs describes it.</summary>
    HostDevice Host { get; }

    /// <summary>True when the kernel can reset it alone.</summary>
    bool HasOwnReset { get; }

    /// <summary>False once its VFIO device is closed.</summary>
    bool IsOpen { get; }

    /// <summary>True when its config space answers.</summary>
    bool Answers { get; }

    /// <inheritdoc cref="VfioDevice.GetDependentFunctions"/>
    IReadOnlyList<DependentFunction>? GetDependentFunctions();

    /// <inheritdoc cref="VfioDevice.HotReset" path="/summary"/>
    /// <param name="groups">The groups of all functions that are reset; the guest must have each of them.</param>
    void HotReset(IReadOnlyList<int> groups);
}
