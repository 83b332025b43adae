namespace Hatchway.Pci.Interrupts;

/// <summary>A message signalled interrupt: what the function writes, and where (PCIe 6.0 §7.7.1 and §7.7.2).</summary>
/// <param name="Address">Guest-physical address.</param>
/// <param name="Data">The data written there.</param>
public readonly record struct MsiMessage(ulong Address, uint Data);

/// <summary>
/// The host's side of MSI or MSI-X: vectors of the real device, each delivered as a message to the guest, without an exit.
/// </summary>
/// <remarks>
/// The caller serialises calls. A failure is reported in the implementation's log and answered with false; the vector then stays silent.
/// </remarks>
public interface IMessageInterrupts
{
    /// <summary>Vectors that the device has.</summary>
    int Count { get; }

    /// <summary>Switches the device to this kind of interrupt, with every vector masked.</summary>
    /// <param name="vectors">How many, 1 to <see cref="Count"/>.</param>
    /// <returns>False when it is off as before.</returns>
    bool TryEnable(int vectors);

    /// <summary>Switches it off again and frees everything. Pending interrupts are gone.</summary>
    void Disable();

    /// <summary>
    /// Delivers a vector as a message from now on, one that was pending at once. Also changes the message of an unmasked vector.
    /// </summary>
    /// <param name="vector">0 to <see cref="Count"/> less one, while this kind of interrupt is on.</param>
    /// <param name="message">What the guest has programmed.</param>
    /// <returns>False when the vector stays silent.</returns>
    bool TryUnmask(int vector, MsiMessage message);

    /// <summary>Holds a vector back from now on: an interrupt that comes is kept as pending.</summary>
    /// <param name="vector">As to unmask; one that is masked stays so.</param>
    void Mask(int vector);

    /// <summary>True when a masked vector holds an interrupt back.</summary>
    /// <param name="vector">0 to <see cref="Count"/> less one, at any time.</param>
    bool IsPending(int vector);
}

/// <summary>The host's side of INTx: a level-triggered line into the guest's interrupt controller, without an exit.</summary>
/// <remarks>The caller serialises calls.</remarks>
public interface IIntxInterrupt
{
    /// <summary>Connects the line.</summary>
    /// <returns>False when it can't be; the implementation says why in its log.</returns>
    bool TryEnable();

    /// <summary>Disconnects it, with the line low.</summary>
    void Disable();
}
