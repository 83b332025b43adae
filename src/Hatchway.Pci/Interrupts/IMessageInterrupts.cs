namespace Hatchway.Pci.Interrupts;

/// <summary>The message of an MSI or MSI-X vector: the data that the function writes, and the address (PCIe 6.0 §7.7.1 and
/// §7.7.2).</summary>
/// <param name="Address">Guest-physical address.</param>
/// <param name="Data">The data written there.</param>
public readonly record struct MsiMessage(ulong Address, uint Data);

/// <summary>
/// The host's side of MSI or MSI-X: the real device's vectors, each delivered as a message to the guest without an exit.
/// </summary>
/// <remarks>
/// The caller serialises calls. On failure the implementation logs the reason and returns false, and the vector stays silent.
/// </remarks>
public interface IMessageInterrupts
{
    /// <summary>Number of vectors that the device has.</summary>
    int Count { get; }

    /// <summary>Switches the device to this kind of interrupt, with every vector masked.</summary>
    /// <param name="vectors">Number of vectors, 1 to <see cref="Count"/>.</param>
    /// <returns>False when it fails and stays off.</returns>
    bool TryEnable(int vectors);

    /// <summary>Switches it off and frees all resources. Pending interrupts are lost.</summary>
    void Disable();

    /// <summary>
    /// Unmasks a vector, so that it is delivered as a message; at once if it was pending. Also changes an unmasked vector's message.
    /// </summary>
    /// <param name="vector">0 to <see cref="Count"/> less one, while this kind of interrupt is on.</param>
    /// <param name="message">The message that the guest has programmed.</param>
    /// <returns>False when the vector stays silent.</returns>
    bool TryUnmask(int vector, MsiMessage message);

    /// <summary>Masks a vector: an interrupt that comes is kept as pending.</summary>
    /// <param name="vector">As in <see cref="TryUnmask"/>; it may be masked already.</param>
    void Mask(int vector);

    /// <summary>True when a masked vector has a pending interrupt.</summary>
    /// <param name="vector">0 to <see cref="Count"/> less one, at any time.</param>
    bool IsPending(int vector);
}

/// <summary>The host's side of INTx: a level-triggered line to the guest's interrupt controller, without exits.</summary>
/// <remarks>The caller serialises calls.</remarks>
public interface IIntxInterrupt
{
    /// <summary>Connects the line.</summary>
    /// <returns>False when it fails; the implementation logs the reason.</returns>
    bool TryEnable();

    /// <summary>Disconnects the line and leaves it low.</summary>
    void Disable();
}
