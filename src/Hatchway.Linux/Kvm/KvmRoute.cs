using Hatchway.Linux.Interop;

namespace Hatchway.Linux.Kvm;

/// <summary>One entry of a VM's interrupt routing table: where a GSI leads (struct kvm_irq_routing_entry).</summary>
public readonly record struct KvmRoute
{
    private const uint KVM_IRQ_ROUTING_IRQCHIP = 1;
    private const uint KVM_IRQ_ROUTING_MSI = 2;

    private KvmRoute(uint gsi, uint type, uint first, uint second, uint third) =>
        (Gsi, Type, First, Second, Third) = (gsi, type, first, second, third);

    /// <summary>The GSI.</summary>
    public uint Gsi { get; }

    private uint Type { get; }

    private uint First { get; }

    private uint Second { get; }

    private uint Third { get; }

    /// <summary>Routes a GSI to a pin of an interrupt controller.</summary>
    /// <param name="gsi">The GSI.</param>
    /// <param name="chip">0 the first PIC, 1 the second, 2 the I/O APIC (KVM_IRQCHIP_*).</param>
    /// <param name="pin">The pin.</param>
    public static KvmRoute Irqchip(uint gsi, uint chip, uint pin) => new(gsi, KVM_IRQ_ROUTING_IRQCHIP, chip, pin, 0);

    /// <summary>Routes a GSI to a message-signalled interrupt.</summary>
    /// <param name="gsi">The GSI.</param>
    /// <param name="address">The message's guest-physical address.</param>
    /// <param name="data">The message's data.</param>
    public static KvmRoute Msi(uint gsi, ulong address, uint data) =>
        new(gsi, KVM_IRQ_ROUTING_MSI, (uint)address, (uint)(address >> 32), data);

    internal kvm_irq_routing_entry ToNative() => new()
    {
        gsi = Gsi,
        type = Type,
        u__msi__address_lo = First,
        u__msi__address_hi = Second,
        u__msi__data = Third,
    };
}
