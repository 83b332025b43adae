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

    /// <summary>Takes <paramref name="target"/> out of the space again; nothing happens when it is not in it.</summary>
    void Unmap(AddressSpaceKind kind, IAddressTarget target);
}
