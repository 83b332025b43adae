using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Passthrough.Kvm;

/// <summary>The VM's table of interrupt routes: which GSI leads to which pin or message (linux/kvm.h, KVM_SET_GSI_ROUTING).</summary>
/// <remarks>
/// KVM takes the table whole, so it has one owner per VM. GSIs 0 to 23 are the pins of the interrupt controllers; those above are given
/// to messages, one to each vector that a guest has unmasked. Safe from any thread; the lock is a leaf but for the call into KVM.
/// </remarks>
public sealed class InterruptRoutes
{
    private const int Pins = 24;
    private const uint Pic = 0;
    private const uint PicSecondary = 1;
    private const uint IoApic = 2;

    private readonly KvmVm _vm;
    private readonly int _limit;
    private readonly List<KvmRoute> _pins = [];
    private readonly SortedDictionary<uint, MsiMessage> _messages = [];
    private readonly Lock _gate = new();

    /// <summary>Takes the table over, with the pins as KVM has them by default: 0 to 15 at the PIC and the I/O APIC, 16 to 23 at the
    /// latter.</summary>
    public InterruptRoutes(KvmVm vm)
    {
        ArgumentNullException.ThrowIfNull(vm);
        _vm = vm;
        _limit = vm.CheckExtension(KvmCapability.IrqRouting);
        for (var pin = 0u; pin < Pins; pin++)
        {
            if (pin < 16)
                _pins.Add(KvmRoute.Irqchip(pin, pin < 8 ? Pic : PicSecondary, pin & 7));
            // The timer's pin 0 is wired to pin 2 of the I/O APIC, as the MADT says; pin 2 of the PIC is its cascade.
            if (pin != 2)
                _pins.Add(KvmRoute.Irqchip(pin, IoApic, pin == 0 ? 2 : pin));
        }
        Apply();
    }

    /// <summary>Routes in use, pins included.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _pins.Count + _messages.Count;
        }
    }

    /// <summary>Gives a message a GSI of its own.</summary>
    /// <returns>The GSI, 24 or above; null when KVM's table is full.</returns>
    /// <exception cref="LinuxException">KVM refuses the table; nothing was added.</exception>
    public uint? Add(MsiMessage message)
    {
        lock (_gate)
        {
            if (_pins.Count + _messages.Count >= _limit)
                return null;
            var gsi = (uint)Pins;
            foreach (var used in _messages.Keys)
            {
                if (used != gsi)
                    break;
                gsi++;
            }
            _messages.Add(gsi, message);
            try
            {
                Apply();
            }
            catch
            {
                _messages.Remove(gsi);
                throw;
            }
            return gsi;
        }
    }

    /// <summary>Changes a GSI's message.</summary>
    /// <exception cref="LinuxException">KVM refuses the table; the message is what it was.</exception>
    public void Change(uint gsi, MsiMessage message)
    {
        lock (_gate)
        {
            var before = _messages[gsi];
            if (before == message)
                return;
            _messages[gsi] = message;
            try
            {
                Apply();
            }
            catch
            {
                // What is in force is what was there before.
                _messages[gsi] = before;
                throw;
            }
        }
    }

    /// <summary>Frees GSIs. No irqfd may be bound to them any more.</summary>
    /// <exception cref="LinuxException">KVM refuses the table.</exception>
    public void Remove(IEnumerable<uint> gsis)
    {
        ArgumentNullException.ThrowIfNull(gsis);
        lock (_gate)
        {
            foreach (var gsi in gsis)
                _messages.Remove(gsi);
            Apply();
        }
    }

    private void Apply()
    {
        var routes = new KvmRoute[_pins.Count + _messages.Count];
        _pins.CopyTo(routes);
        var i = _pins.Count;
        foreach (var (gsi, message) in _messages)
            routes[i++] = KvmRoute.Msi(gsi, message.Address, message.Data);
        _vm.SetGsiRouting(routes);
    }
}
