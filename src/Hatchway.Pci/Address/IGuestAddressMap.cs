namespace Hatchway.Pci.Address;

/// <summary>The two address spaces that a BAR can decode in (PCIe 6.0 §7.5.1.2.1).</summary>
public enum AddressSpaceKind : byte
{
    /// <summary>Memory.</summary>
    Memory,

    /// <summary>I/O ports.</summary>
    Io,
}

/// <summary>What a PCI function needs of the machine it is in: a place in the guest's address spaces. The machine implements it.</summary>
/// <remarks>Safe to call from any thread. Look-ups by other threads see the space before or after a change, never between.</remarks>
public interface IGuestAddressMap
{
    /// <summary>Lets <paramref name="target"/> answer at <paramref name="start"/>.</summary>
    /// <param name="kind">Which space.</param>
    /// <param name="start">Guest-physical address or port.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="target">What answers. A target may be mapped once only.</param>
    /// <returns>
    /// False, and nothing changed, when the range does not lie wholly in what the host bridge forwards to PCI: there, as on hardware, the
    /// function is not reached.
    /// </returns>
    bool TryMap(AddressSpaceKind kind, ulong start, ulong length, IAddressTarget target);

    /// <summary>
    /// Claims whole pages of guest-physical memory for a mapping. They are the owner's while no other target answers for a byte in them:
    /// a mapping hides everything else there, and where targets overlap, the one that was mapped first answers.
    /// </summary>
    /// <param name="start">The first page's first address.</param>
    /// <param name="length">Bytes, whole pages.</param>
    /// <param name="owner">A target that is mapped there; it may end within the last page.</param>
    /// <param name="claimant">
    /// Told when the pages are not the owner's, perhaps at once, and when they are again, until the owner is unmapped.
    /// </param>
    void Claim(ulong start, ulong length, IAddressTarget owner, IPageClaimant claimant);

    /// <summary>Takes <paramref name="target"/> out of the space again; nothing happens when it is not in it.</summary>
    void Unmap(AddressSpaceKind kind, IAddressTarget target);
}

/// <summary>Who has asked for pages. Called by any thread that maps or unmaps something; must not call the map back.</summary>
public interface IPageClaimant
{
    /// <summary>The pages are not the owner's: no mapping may be over them when this returns.</summary>
    void Lose();

    /// <summary>The pages that were lost are the owner's again.</summary>
    void Gain();
}
