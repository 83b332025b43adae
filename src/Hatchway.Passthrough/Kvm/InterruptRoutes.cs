using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Passthrough.Kvm;

/// <summary>The VM's interrupt routing table, from GSIs to pins and messages (linux/kvm.h, KVM_SET_GSI_ROUTING).</summary>
/// <remarks>
/// KVM replaces the whole table at once, so it has one owner per VM. GSIs 0 to 23 are the interrupt controllers' pins; those above are
/// given to messages, one for each vector that the guest has unmasked. Any thread may call; the lock is a leaf, held across KVM's ioctl.
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

    /// <summary>Takes over the table and sets KVM's default pins: 0 to 15 at the PIC and the I/O APIC, 16 to 23 at the I/O APIC
    /// alone.</summary>
    public InterruptRoutes(KvmVm vm)
    {
        ArgumentNullException.ThrowIfNull(vm);
        _vm = vm;
        _limit = vm.CheckExtension(KvmCapability.IrqRouting);
        for (var pin = 0u; pin < Pins; pin++)
        {
            if (pin < 16)
                _pins.Add(KvmRoute.Irqchip(pin, pin < 8 ? Pic : PicSecondary, pin & 7));
            // GSI 0, the timer's, leads to pin 2 of the I/O APIC, as the MADT says; pin 2 of the PIC is the cascade.
            if (pin != 2)
                _pins.Add(KvmRoute.Irqchip(pin, IoApic, pin == 0 ? 2 : pin));
        }
        Apply();
    }

    /// <summary>Number of routes in use, pins included.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _pins.Count + _messages.Count;
        }
    }

    /// <summary>Adds a route from a free GSI to a message.</summary>
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
    /// <exception cref="LinuxException">KVM refuses the table; the message is unchanged.</exception>
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
                // KVM still uses the former table.
                _messages[gsi] = before;
                throw;
            }
        }
    }

    /// <summary>Removes the routes of GSIs. No irqfd may be bound to them.</summary>
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
