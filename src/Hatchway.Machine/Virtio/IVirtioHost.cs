using Hatchway.Machine.Devices;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Machine.Virtio;

/// <summary>What a virtio function needs of the hypervisor and of its worker threads. The program implements it.</summary>
/// <remarks>Any thread may call; <see cref="Signal"/> and <see cref="Ring"/> allocate nothing.</remarks>
public interface IVirtioHost
{
    /// <summary>The function's MSI-X vectors, as the guest programs them.</summary>
    IMessageInterrupts Messages { get; }

    /// <summary>The wire that the function's interrupt pin drives.</summary>
    IInterruptLine Line { get; }

    /// <summary>Raises a vector. A masked one becomes pending; while MSI-X is off, nothing happens.</summary>
    /// <param name="vector">Below <see cref="IMessageInterrupts.Count"/>.</param>
    void Signal(int vector);

    /// <summary>
    /// Makes a guest's write to an address ring a queue's doorbell without an exit (KVM_IOEVENTFD). Null when that is not possible; the
    /// function then receives the write like any other.
    /// </summary>
    IDisposable? TryWireDoorbell(int queue, ulong guestPhysical);

    /// <summary>Wakes a worker that serves a queue.</summary>
    void Ring(int queue);
}
