using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Passthrough.Kvm;

/// <summary>One message signalled interrupt: an eventfd, which is KVM's irqfd while the guest has the vector unmasked.</summary>
/// <remarks>
/// Masking detaches KVM's end only: a signal that comes meanwhile stays counted in the eventfd, which serves as the pending bit; binding
/// the irqfd again delivers it (virt/kvm/eventfd.c, kvm_irqfd_assign polls the eventfd once). The caller serialises calls.
/// </remarks>
// A mutable structure: a device's vectors, up to 2048, are one array and so one allocation, each changed in place by reference.
internal struct IrqfdVector
{
    private uint? _gsi;
    private bool _isBound;

    /// <summary>Signalled by whoever interrupts; null until the vector is wired.</summary>
    public EventFd? Trigger { get; set; }

    /// <summary>True when a signal is held back.</summary>
    public readonly bool IsPending => !_isBound && Trigger is { IsSignalled: true };

    /// <summary>Gives the vector's message a route, or changes the one that it has.</summary>
    /// <returns>False when KVM's table is full.</returns>
    public bool TryRoute(InterruptRoutes routes, MsiMessage message)
    {
        if (_gsi is { } known)
            routes.Change(known, message);
        else
            _gsi = routes.Add(message);
        return _gsi is not null;
    }

    /// <summary>Lets KVM deliver signals. The route is there before.</summary>
    /// <exception cref="LinuxException">KVM refuses.</exception>
    public void Bind(KvmVm vm)
    {
        if (_isBound)
            return;
        vm.AssignIrqfd(Trigger!, _gsi!.Value);
        _isBound = true;
    }

    /// <summary>Holds signals back.</summary>
    public void Unbind(KvmVm vm)
    {
        if (!_isBound)
            return;
        vm.DeassignIrqfd(Trigger!, _gsi!.Value);
        _isBound = false;
    }

    /// <summary>Hands out the vector's route, which is to be removed, and forgets it. The vector is unbound.</summary>
    public uint? TakeRoute()
    {
        var gsi = _gsi;
        _gsi = null;
        return gsi;
    }
}
