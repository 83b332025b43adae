using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Passthrough.Kvm;

/// <summary>One message-signalled interrupt: an eventfd, bound to KVM as an irqfd while the guest has the vector unmasked.</summary>
/// <remarks>
/// Masking unbinds the irqfd only: a signal that comes meanwhile stays counted in the eventfd, which so serves as the pending bit. Binding
/// again delivers it (virt/kvm/eventfd.c, kvm_irqfd_assign polls the eventfd once). The caller serialises calls.
/// </remarks>
// A mutable structure, changed in place by reference: a device's vectors, up to 2048, are one array and so one allocation.
internal struct IrqfdVector
{
    private uint? _gsi;
    private bool _isBound;

    /// <summary>The eventfd that the interrupt's source signals; null until the vector is wired.</summary>
    public EventFd? Trigger { get; set; }

    /// <summary>True when a signal waits in the eventfd because the vector is not bound.</summary>
    public readonly bool IsPending => !_isBound && Trigger is { IsSignalled: true };

    /// <summary>Adds a route for the vector's message, or changes the route that it has.</summary>
    /// <returns>False when KVM's routing table is full.</returns>
    public bool TryRoute(InterruptRoutes routes, MsiMessage message)
    {
        if (_gsi is { } known)
            routes.Change(known, message);
        else
            _gsi = routes.Add(message);
        return _gsi is not null;
    }

    /// <summary>Binds the irqfd, so that KVM delivers signals. The vector must have a route.</summary>
    /// <exception cref="LinuxException">KVM refuses.</exception>
    public void Bind(KvmVm vm)
    {
        if (_isBound)
            return;
        vm.AssignIrqfd(Trigger!, _gsi!.Value);
        _isBound = true;
    }

    /// <summary>Unbinds the irqfd, so that signals stay in the eventfd.</summary>
    public void Unbind(KvmVm vm)
    {
        if (!_isBound)
            return;
        vm.DeassignIrqfd(Trigger!, _gsi!.Value);
        _isBound = false;
    }

    /// <summary>Returns the vector's GSI, whose route the caller removes, and forgets it. The vector must be unbound.</summary>
    public uint? TakeRoute()
    {
        var gsi = _gsi;
        _gsi = null;
        return gsi;
    }
}
