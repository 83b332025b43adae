namespace Hatchway.Pci.Address;

/// <summary>The two address spaces that a BAR can decode in (PCIe 6.0 §7.5.1.2.1).</summary>
public enum AddressSpaceKind : byte
{
    /// <summary>Memory.</summary>
    Memory,

    /// <summary>I/O ports.</summary>
    Io,
}

/// <summary>Places a PCI function's BARs in the guest's address spaces. The machine implements it.</summary>
/// <remarks>Any thread may call. Lookups by other threads see the space either before or after a change.</remarks>
public interface IGuestAddressMap
{
    /// <summary>Places <paramref name="target"/> at <paramref name="start"/>.</summary>
    /// <param name="kind">The address space.</param>
    /// <param name="start">Guest-physical address or port.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="target">The target. It may be mapped only once.</param>
    /// <returns>
    /// False, with nothing changed, when the range does not lie wholly in what the host bridge forwards to PCI: as on hardware, accesses
    /// there do not reach the function.
    /// </returns>
    bool TryMap(AddressSpaceKind kind, ulong start, ulong length, IAddressTarget target);

    /// <summary>
    /// Claims whole pages of guest-physical memory for a mapping. The owner has them while no other target answers for a byte in them,
    /// since a mapping would hide it. Where targets overlap, the one that was mapped first answers.
    /// </summary>
    /// <param name="start">The first page's first address.</param>
    /// <param name="length">Bytes, whole pages.</param>
    /// <param name="owner">A target that is mapped there; it may end within the last page.</param>
    /// <param name="claimant">
    /// Called when the owner loses the pages, perhaps before this returns, and when it regains them, until the owner is unmapped.
    /// </param>
    void Claim(ulong start, ulong length, IAddressTarget owner, IPageClaimant claimant);

    /// <summary>Removes <paramref name="target"/> from the space; does nothing when it is not there.</summary>
    void Unmap(AddressSpaceKind kind, IAddressTarget target);
}

/// <summary>Receives the outcome of a claim for pages. Called on any thread that maps or unmaps a target; must not call the
/// map.</summary>
public interface IPageClaimant
{
    /// <summary>Called when the owner loses the pages. They must not be mapped when this returns.</summary>
    void Lose();

    /// <summary>Called when the owner regains pages that it lost.</summary>
    void Gain();
}
