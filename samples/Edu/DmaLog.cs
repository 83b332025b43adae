using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Handlers;

namespace Edu;

/// <summary>Tells of each DMA that the guest starts, and lets it through.</summary>
internal sealed class DmaLog(IDeviceContext device) : IBarHandler
{
    private const ulong Source = 0x80;
    private const ulong Destination = 0x88;
    private const ulong Count = 0x90;
    private const ulong Start = 1;
    private const ulong ToMemory = 2;

    /// <inheritdoc/>
    public ulong Read(in BarAccess access) => access.ReadHost();

    /// <inheritdoc/>
    public void Write(in BarAccess access, ulong value)
    {
        // The command is in the first byte; what is written behind it starts nothing.
        if (access.HandlerOffset == 0 && (value & Start) != 0)
        {
            var direction = (value & ToMemory) != 0 ? "device to memory" : "memory to device";
            device.Log($"DMA, {direction}: {Ask(access, Source):x}h to {Ask(access, Destination):x}h, {Ask(access, Count)} bytes");
        }
        access.WriteHost(value);
    }

    // The registers have 64 bits, and the device addresses 28 (QEMU, docs/specs/edu.rst: dma_mask).
    private static ulong Ask(in BarAccess access, ulong register) => access.ReadHost(register, AccessWidth.Dword);
}
