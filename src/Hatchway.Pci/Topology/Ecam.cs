using Hatchway.Pci.Address;

namespace Hatchway.Pci.Topology;

/// <summary>The enhanced configuration access mechanism: config space as memory, 4 KiB a function (PCIe 6.0 §7.2.2).</summary>
/// <remarks>Address bits 27:20 are the bus, 19:15 the device, 14:12 the function, 11:0 the register. Bus 0 is the only bus.</remarks>
public sealed class Ecam(PciBus bus) : IAddressTarget
{
    /// <summary>Bytes of memory that a bus takes.</summary>
    public const ulong BytesPerBus = 1 << 20;

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width)
    {
        return IsOneRegister(offset, width) ? bus.ReadConfig(Device(offset), Function(offset), Register(offset), width) : width.AllOnes();
    }

    /// <inheritdoc/>
    public void Write(ulong offset, AccessWidth width, ulong value)
    {
        if (IsOneRegister(offset, width))
            bus.WriteConfig(Device(offset), Function(offset), Register(offset), width, (uint)value);
    }

    private static int Device(ulong offset) => (int)(offset >> 15) & 31;

    private static int Function(ulong offset) => (int)(offset >> 12) & 7;

    private static ConfigOffset Register(ulong offset) => new((ushort)(offset & 0xFFF));

    // A root complex need not support accesses that cross a dword's end or are wider than one (PCIe 6.0 §7.2.2).
    private static bool IsOneRegister(ulong offset, AccessWidth width) =>
        offset < BytesPerBus && width <= AccessWidth.Dword && (offset & (uint)(width - 1)) == 0;
}
