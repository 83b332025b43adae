using Hatchway.Pci.Address;

namespace Hatchway.Pci.Topology;

/// <summary>Configuration mechanism #1: the address at port 0xCF8, the data at 0xCFC to 0xCFF (PCI Local Bus 3.0 §3.2.2.3.2).</summary>
/// <remarks>
/// Offsets count from port 0xCF8; the block is 8 ports long. CONFIG_ADDRESS takes dword accesses only. Others reach I/O space, where only
/// 0xCF9 answers, which the machine maps ahead of this block. The guest must serialise the two steps of an access.
/// </remarks>
public sealed class ConfigPorts(PciBus bus) : IAddressTarget
{
    /// <summary>The first port.</summary>
    public const ushort FirstPort = 0xCF8;

    /// <summary>How many ports.</summary>
    public const int PortCount = 8;

    private const uint EnableBit = 1u << 31;
    private uint _address;

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width)
    {
        if (offset < 4)
            return offset == 0 && width == AccessWidth.Dword ? Volatile.Read(ref _address) : width.AllOnes();
        return TryDecode(offset, width, out var device, out var function, out var register)
            ? bus.ReadConfig(device, function, register, width)
            : width.AllOnes();
    }

    /// <inheritdoc/>
    public void Write(ulong offset, AccessWidth width, ulong value)
    {
        if (offset < 4)
        {
            if (offset == 0 && width == AccessWidth.Dword)
                Volatile.Write(ref _address, (uint)value & 0x80FF_FFFC);
        }
        else if (TryDecode(offset, width, out var device, out var function, out var register))
        {
            bus.WriteConfig(device, function, register, width, (uint)value);
        }
    }

    private bool TryDecode(ulong offset, AccessWidth width, out int device, out int function, out ConfigOffset register)
    {
        var address = Volatile.Read(ref _address);
        device = (int)(address >> 11) & 31;
        function = (int)(address >> 8) & 7;
        var lane = (int)offset - 4;
        register = new ConfigOffset((ushort)((address & 0xFC) + (uint)lane));
        // Bus 0 is the only bus. An access that crosses the dword's end is not a valid config access.
        return (address & EnableBit) != 0 && ((address >> 16) & 0xFF) == 0 && lane % (int)width == 0 && lane + (int)width <= 4;
    }
}
