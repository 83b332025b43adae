using Hatchway.Pci.Address;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Interrupts;

/// <summary>Applies the MSI capability as the guest programs it to the host's vectors (PCIe 6.0 §7.7.1).</summary>
/// <remarks>The function that owns it calls it under its effects lock, which serialises all calls.</remarks>
internal sealed class MsiState(ConfigMediator mediator, Capability capability, IMessageInterrupts host)
{
    private readonly MsiMessage?[] _bound = new MsiMessage?[host.Count];
    private int _enabled;

    /// <summary>True when the guest has MSI on.</summary>
    public bool IsEnabledByGuest => (Control & Msi.Enable) != 0;

    private ushort Control => (ushort)Read(Msi.Control, AccessWidth.Word);

    /// <summary>Sets the host's vectors to the state that the guest has programmed.</summary>
    /// <returns>False when the host could not switch MSI on, for a reason that it logged.</returns>
    public bool TryApply()
    {
        var control = Control;
        // Granting more vectors than requested is undefined (§7.7.1.2). Here the excess has no effect.
        var vectors = (control & Msi.Enable) == 0 ? 0 : Math.Min(Msi.GrantedVectors(control), host.Count);
        if (_enabled != 0 && vectors != _enabled)
            Disable();
        if (vectors == 0)
            return true;
        if (_enabled == 0)
        {
            if (!host.TryEnable(vectors))
                return false;
            _enabled = vectors;
        }
        var message = Message(control);
        var masks = (control & Msi.PerVectorMasking) != 0 ? Read(Msi.MaskBits(control), AccessWidth.Dword) : 0;
        for (var vector = 0; vector < vectors; vector++)
            Apply(vector, (masks & (1u << vector)) != 0, message with { Data = message.Data | (uint)vector });
        return true;
    }

    /// <summary>Switches MSI off on the host's side.</summary>
    public void Disable()
    {
        if (_enabled == 0)
            return;
        host.Disable();
        _enabled = 0;
        Array.Clear(_bound);
    }

    /// <summary>Gives the pending bits: the masked vectors with a pending interrupt.</summary>
    /// <param name="device">The device's own pending bits, which apply to vectors not bound yet, since the host keeps those masked.</param>
    public uint PendingBits(uint device)
    {
        var pending = 0u;
        for (var vector = 0; vector < _enabled; vector++)
        {
            if (_bound[vector] is null && (host.IsPending(vector) || (device & (1u << vector)) != 0))
                pending |= 1u << vector;
        }
        return pending;
    }

    private void Apply(int vector, bool masked, MsiMessage message)
    {
        if (masked && _bound[vector] is not null)
        {
            host.Mask(vector);
            _bound[vector] = null;
        }
        else if (!masked && _bound[vector] != message && host.TryUnmask(vector, message))
        {
            _bound[vector] = message;
        }
    }

    // With several vectors, the function itself sets the low bits of the data (§7.7.1.2), so the guest's are cleared here.
    private MsiMessage Message(ushort control)
    {
        var address = (ulong)Read(Msi.AddressLow, AccessWidth.Dword);
        if ((control & Msi.Address64) != 0)
            address |= (ulong)Read(Msi.AddressHigh, AccessWidth.Dword) << 32;
        var data = Read(Msi.Data(control), AccessWidth.Word);
        return new MsiMessage(address, data & ~(uint)(Msi.GrantedVectors(control) - 1));
    }

    private uint Read(int register, AccessWidth width) => mediator.ReadCopy(new((ushort)(capability.Offset + register)), width);
}
