using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.KvmRequests;

namespace Hatchway.Linux.Kvm;

public sealed partial class KvmVm
{
    private const uint KVM_IRQFD_FLAG_DEASSIGN = 1;
    private const uint KVM_IRQFD_FLAG_RESAMPLE = 2;
    private const uint KVM_IOEVENTFD_FLAG_DATAMATCH = 1;
    private const uint KVM_IOEVENTFD_FLAG_PIO = 2;
    private const uint KVM_IOEVENTFD_FLAG_DEASSIGN = 4;

    /// <summary>Sets the level of a GSI's line. Does nothing once the VM is closed, so that a console's thread need not check.</summary>
    public unsafe void SetInterruptLine(uint gsi, bool asserted)
    {
        if (!TryUse(out var use))
            return;
        using (use)
        {
            var level = new kvm_irq_level { irq = gsi, level = asserted ? 1u : 0u };
            // SAFETY: one structure, on the stack.
            LinuxException.Check(Ioctl.ioctl(use.Fd, KVM_IRQ_LINE, &level), "KVM_IRQ_LINE");
        }
    }

    /// <summary>Replaces the interrupt routing table. A GSI without an entry leads nowhere.</summary>
    public unsafe void SetGsiRouting(ReadOnlySpan<KvmRoute> routes)
    {
        var bytes = new byte[sizeof(kvm_irq_routing) + (routes.Length * sizeof(kvm_irq_routing_entry))];
        var entries = MemoryMarshal.Cast<byte, kvm_irq_routing_entry>(bytes.AsSpan(sizeof(kvm_irq_routing)));
        for (var i = 0; i < routes.Length; i++)
            entries[i] = routes[i].ToNative();
        // SAFETY: the buffer holds the header and as many entries as the header says.
        fixed (byte* start = bytes)
        {
            ((kvm_irq_routing*)start)->nr = (uint)routes.Length;
            Call(KVM_SET_GSI_ROUTING, start, "KVM_SET_GSI_ROUTING");
        }
    }

    /// <summary>Makes the kernel raise a GSI each time an eventfd is signalled, without a detour through user space.</summary>
    /// <param name="trigger">The interrupt's source signals it; a count that it already has is delivered at once.</param>
    /// <param name="gsi">A GSI with a route.</param>
    /// <param name="resample">
    /// For a level-triggered line: it stays asserted until the guest ends the interrupt; KVM then lowers it and signals this eventfd.
    /// </param>
    public void AssignIrqfd(EventFd trigger, uint gsi, EventFd? resample = null)
    {
        ArgumentNullException.ThrowIfNull(trigger);
        if (resample is null)
        {
            SetIrqfd(trigger, gsi, 0, 0);
            return;
        }
        using var resampleUse = resample.Use();
        SetIrqfd(trigger, gsi, KVM_IRQFD_FLAG_RESAMPLE, resampleUse.Fd);
    }

    /// <summary>Undoes <see cref="AssignIrqfd"/>. When it returns, no interrupt is in flight, and the eventfd counts signals
    /// again.</summary>
    public void DeassignIrqfd(EventFd trigger, uint gsi)
    {
        ArgumentNullException.ThrowIfNull(trigger);
        SetIrqfd(trigger, gsi, KVM_IRQFD_FLAG_DEASSIGN, 0);
    }

    /// <summary>Makes the kernel signal an eventfd when the guest writes to an address, instead of an exit.</summary>
    /// <param name="signalled">The eventfd.</param>
    /// <param name="address">The guest-physical address, or the port.</param>
    /// <param name="width">1, 2, 4 or 8 bytes; 0 means any.</param>
    /// <param name="isPort">True for a port, false for memory.</param>
    /// <param name="match">When set, only writes of this value signal it.</param>
    /// <returns>Disposing it removes the assignment.</returns>
    public IDisposable AssignIoEventFd(EventFd signalled, ulong address, int width, bool isPort, ulong? match = null)
    {
        ArgumentNullException.ThrowIfNull(signalled);
        var flags = (isPort ? KVM_IOEVENTFD_FLAG_PIO : 0) | (match is null ? 0 : KVM_IOEVENTFD_FLAG_DATAMATCH);
        var assignment = new IoEventFd(this, signalled, address, (uint)width, flags, match ?? 0);
        assignment.Set(0);
        return assignment;
    }

    /// <summary>Delivers a message-signalled interrupt now.</summary>
    /// <returns>False when no CPU of the guest accepts it.</returns>
    public unsafe bool SignalMsi(ulong address, uint data)
    {
        var message = new kvm_msi { address_lo = (uint)address, address_hi = (uint)(address >> 32), data = data };
        // SAFETY: one structure, on the stack.
        return Call(KVM_SIGNAL_MSI, &message, "KVM_SIGNAL_MSI") > 0;
    }

    private unsafe void SetIrqfd(EventFd trigger, uint gsi, uint flags, int resample)
    {
        using var triggerUse = trigger.Use();
        var irqfd = new kvm_irqfd { fd = (uint)triggerUse.Fd, gsi = gsi, flags = flags, resamplefd = (uint)resample };
        // SAFETY: one structure, on the stack; the caller and triggerUse hold both descriptors open.
        Call(KVM_IRQFD, &irqfd, "KVM_IRQFD");
    }

    private sealed class IoEventFd(KvmVm vm, EventFd signalled, ulong address, uint width, uint flags, ulong match) : IDisposable
    {
        private int _disposed;

        public unsafe void Set(uint extraFlags)
        {
            using var use = signalled.Use();
            var request = new kvm_ioeventfd { datamatch = match, addr = address, len = width, fd = use.Fd, flags = flags | extraFlags };
            // SAFETY: one structure, on the stack.
            vm.Call(KVM_IOEVENTFD, &request, "KVM_IOEVENTFD");
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0 && !vm.IsClosed)
                Set(KVM_IOEVENTFD_FLAG_DEASSIGN);
        }
    }
}
