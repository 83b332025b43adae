using Hatchway.Pci.Address;

namespace Hatchway.Machine.Devices;

/// <summary>A device of 8-bit registers. Wider accesses reach it as several, lowest port first, as the ISA bus splits them.</summary>
internal interface IByteRegisters
{
    /// <summary>Reads the register at a port, counted from the device's first.</summary>
    byte ReadRegister(int port);

    /// <summary>Writes the register at a port, counted from the device's first.</summary>
    void WriteRegister(int port, byte value);
}

/// <summary>Splits accesses of any width for a device of 8-bit registers.</summary>
internal static class ByteRegisters
{
    public static ulong Read<T>(T device, ulong offset, AccessWidth width)
        where T : IByteRegisters
    {
        var value = 0ul;
        for (var i = 0; i < (int)width; i++)
            value |= (ulong)device.ReadRegister((int)offset + i) << (8 * i);
        return value;
    }

    public static void Write<T>(T device, ulong offset, AccessWidth width, ulong value)
        where T : IByteRegisters
    {
        for (var i = 0; i < (int)width; i++)
            device.WriteRegister((int)offset + i, (byte)(value >> (8 * i)));
    }
}
