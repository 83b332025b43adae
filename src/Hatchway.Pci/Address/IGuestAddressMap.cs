namespace Hatchway.Pci.Address;

/// <summary>The two address spaces that a BAR can decode in (PCIe 6.0 §7.5.1.2.1).</summary>
public enum AddressSpaceKind : byte
{
    /// <summary>Memory.</summary>
    Memory,

    /// <summary>I/O ports.</summary>
    Port,
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
    /// Asks for a whole page of guest-physical memory in which <paramref name="owner"/> is mapped and which it does not fill: only in such
    /// a page may something smaller than a page be laid over by a mapping, because the mapping hides all else that is in the page.
    /// </summary>
    /// <param name="page">The page's first address.</param>
    /// <param name="owner">A target that is mapped in the page.</param>
    /// <param name="giveUp">
    /// Called, once at most and by any thread, when another target comes into the page, before it answers there. It must not call back.
    /// The claim ends then, or when the owner is unmapped.
    /// </param>
    /// <returns>False when another target is in the page already.</returns>
    bool TryClaimPage(ulong page, IAddressTarget owner, Action giveUp);

    /// <summary>Takes <paramref name="target"/> out of the space again; nothing happens when it is not in it.</summary>
    void Unmap(AddressSpaceKind kind, IAddressTarget target);
}
