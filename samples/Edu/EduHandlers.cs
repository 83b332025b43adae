using Hatchway.Pci.Bars;
using Hatchway.Pci.Handlers;

namespace Edu;

/// <summary>Traps two registers of QEMU's edu device (QEMU, docs/specs/edu.rst).</summary>
public sealed class EduHandlers : IDeviceHandlers
{
    private const ulong Factorial = 0x08;
    private const ulong DmaCommand = 0x98;

    /// <inheritdoc/>
    public void Attach(IDeviceContext device)
    {
        if (device is not { VendorId: 0x1234, DeviceId: 0x11E8 })
            throw new HandlerException($"{device.VendorId:x4}:{device.DeviceId:x4} is no edu device");
        device.Handle(new(0), Factorial, 4, "factorial", new FactorialPlusOne());
        device.Handle(new(0), DmaCommand, 8, "DMA command", new DmaLog(device));
        device.Log($"trapping 'factorial' and 'DMA command' in BAR0, {device.BarSize(new(0)):x}h bytes");
    }
}
