namespace Hatchway.Pci.Config;

/// <summary>One capability found in config space.</summary>
/// <param name="Id">
/// A <see cref="Spec.CapabilityId"/>, or a <see cref="Spec.ExtendedCapabilityId"/> when <paramref name="Offset"/> is 0x100 or more.
/// </param>
/// <param name="Offset">Offset of its header.</param>
/// <param name="Length">
/// Bytes, header included: the specified length, or less when the next capability or the end of config space comes first.
/// </param>
public readonly record struct Capability(ushort Id, ushort Offset, int Length)
{
    /// <summary>True for an extended capability, which lies at 0x100 or above.</summary>
    public bool IsExtended => Offset >= Spec.Header.ConventionalSize;
}

/// <summary>The capabilities of a function, from both chains.</summary>
/// <param name="Standard">Capabilities below 0x100 in chain order.</param>
/// <param name="Extended">Extended capabilities in chain order.</param>
/// <param name="Warnings">A sentence for each place where a chain had to be cut: a loop, an invalid pointer, an overlap.</param>
public sealed record CapabilityChains(
    IReadOnlyList<Capability> Standard,
    IReadOnlyList<Capability> Extended,
    IReadOnlyList<string> Warnings)
{
    /// <summary>The first standard capability with this id, or null.</summary>
    public Capability? Find(Spec.CapabilityId id) => Find(Standard, (ushort)id);

    /// <summary>The first extended capability with this id, or null.</summary>
    public Capability? Find(Spec.ExtendedCapabilityId id) => Find(Extended, (ushort)id);

    private static Capability? Find(IReadOnlyList<Capability> chain, ushort id)
    {
        foreach (var capability in chain)
        {
            if (capability.Id == id)
                return capability;
        }
        return null;
    }
}
