using Hatchway.Machine.Devices;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Machine.Virtio;

/// <summary>What a virtio function needs of the hypervisor and of the threads that serve it. The program implements it.</summary>
/// <remarks>Any thread may call; nothing is allocated by <see cref="Signal"/> and <see cref="Ring"/>.</remarks>
public interface IVirtioHost
{
    /// <summary>The function's MSI-X vectors: how the guest programs them.</summary>
    IMessageInterrupts Messages { get; }

    /// <summary>The wire that its interrupt pin leads to.</summary>
    IInterruptLine Line { get; }

    /// <summary>Raises a vector; one that is masked becomes pending, and while MSI-X is off nothing happens.</summary>
    /// <param name="vector">Below <see cref="IMessageInterrupts.Count"/>.</param>
    void Signal(int vector);

    /// <summary>
    /// Lets a write of the guest's to an address ring a queue without an exit (KVM_IOEVENTFD). Null when it can't be: the write then comes
    /// to the function as any other.
    /// </summary>
    IDisposable? TryWireDoorbell(int queue, ulong guestPhysical);

    /// <summary>Wakes a thread that serves a queue.</summary>
    void Ring(int queue);
}
