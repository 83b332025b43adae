using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Host;

namespace Hatchway.Passthrough.Vfio;

/// <summary>What <see cref="HotResets"/> needs of a guest's function.</summary>
internal interface IHotResetFunction
{
    /// <summary>What the host knows of it.</summary>
    HostDevice Host { get; }

    /// <summary>True when the kernel can reset it alone.</summary>
    bool HasOwnReset { get; }

    /// <summary>False once it has been let go.</summary>
    bool IsOpen { get; }

    /// <summary>True when its config space answers.</summary>
    bool Answers { get; }

    /// <inheritdoc cref="VfioDevice.GetDependentFunctions"/>
    IReadOnlyList<DependentFunction>? GetDependentFunctions();

    /// <inheritdoc cref="VfioDevice.HotReset" path="/summary"/>
    /// <param name="groups">The numbers of their groups, each of which is the guest's.</param>
    void HotReset(IReadOnlyList<int> groups);
}
