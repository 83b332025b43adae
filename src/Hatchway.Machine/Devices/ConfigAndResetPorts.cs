using Hatchway.Pci.Address;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine.Devices;

/// <summary>Ports 0xCF8 to 0xCFF, which a PC's host bridge and south bridge share.</summary>
/// <remarks>
/// A dword at 0xCF8 is CONFIG_ADDRESS; a byte at 0xCF9, inside it, is the reset register (PCI Local Bus 3.0 §3.2.2.3.2: all accesses
/// except a dword's pass on to the I/O bus). The width decides between them, so they can't be two ranges of an address space.
/// </remarks>
internal sealed class ConfigAndResetPorts(ConfigPorts config, ResetPort reset) : IAddressTarget
{
    private const ulong ResetOffset = ResetPort.Port - ConfigPorts.FirstPort;

    public ulong Read(ulong offset, AccessWidth width) =>
        IsReset(offset, width) ? reset.Read(0, width) : config.Read(offset, width);

    public void Write(ulong offset, AccessWidth width, ulong value)
    {
        if (IsReset(offset, width))
            reset.Write(0, width, value);
        else
            config.Write(offset, width, value);
    }

    private static bool IsReset(ulong offset, AccessWidth width) => offset == ResetOffset && width == AccessWidth.Byte;
}
