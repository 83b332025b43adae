using Hatchway.Machine.Virtio.Spec;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Machine.Virtio;

/// <summary>Interrupts a driver for used buffers and changes: by a vector while MSI-X is on, else by ISR status and the pin.</summary>
/// <remarks>Any thread may call. <c>_gate</c> guards ISR status and the line's level; only the line's own lock is taken under it.</remarks>
internal sealed class VirtioInterrupts(IVirtioHost host) : IIntxInterrupt
{
    private readonly Lock _gate = new();
    private bool _isLineInUse;
    private bool _isDisabled;
    private bool _isAsserted;

    // ISR status, and the bits of it that raise the pin.
    private byte _isr;
    private byte _forLine;

    /// <summary>True while an interrupt is pending for the pin: the status register's bit, whatever the command register says.</summary>
    public bool IsPending
    {
        get
        {
            lock (_gate)
                return _forLine != 0;
        }
    }

    /// <summary>Follows the command register's Interrupt Disable bit.</summary>
    public void SetIntxDisable(bool disabled)
    {
        lock (_gate)
        {
            _isDisabled = disabled;
            Drive();
        }
    }

    /// <summary>Interrupts the driver.</summary>
    /// <param name="vector">The vector that the driver has chosen for this cause.</param>
    /// <param name="cause">The cause's bit in ISR status.</param>
    public void Raise(ushort vector, byte cause)
    {
        lock (_gate)
        {
            // With MSI-X, too, the ISR status shows a configuration change, and must do so before the message comes (§4.1.4.5.1).
            if (_isLineInUse || cause == VirtioPci.IsrConfiguration)
                _isr |= cause;
            if (_isLineInUse)
            {
                _forLine |= cause;
                Drive();
                return;
            }
        }
        if (vector != VirtioPci.NoVector)
            host.Signal(vector);
    }

    /// <summary>Reads ISR status, which clears it and lowers the line (§4.1.4.5).</summary>
    public byte TakeStatus()
    {
        lock (_gate)
        {
            var status = _isr;
            _isr = _forLine = 0;
            Drive();
            return status;
        }
    }

    public bool TryEnable()
    {
        lock (_gate)
        {
            _isLineInUse = true;
            Drive();
        }
        return true;
    }

    public void Disable()
    {
        lock (_gate)
        {
            _isLineInUse = false;
            Drive();
        }
    }

    private void Drive()
    {
        var asserted = _forLine != 0 && _isLineInUse && !_isDisabled;
        if (asserted == _isAsserted)
            return;
        _isAsserted = asserted;
        host.Line.Set(asserted);
    }
}
