using System.Buffers.Binary;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine.Devices;

/// <summary>The bridges that a guest expects on its bus. Nothing lies behind their config space.</summary>
/// <remarks>Identities are those of bhyve's <c>hostbridge</c> and <c>lpc</c>, so guests see no difference.</remarks>
public static class Bridges
{
    // Class codes: base class, sub-class, programming interface (PCI Code and ID Assignment 1.11 §1.7).
    private const uint HostBridgeClass = 0x060000;
    private const uint IsaBridgeClass = 0x060100;

    /// <summary>A host bridge.</summary>
    /// <param name="vendor">Its vendor: 1275h, NetApp, for bhyve's <c>hostbridge</c>.</param>
    /// <param name="device">Its number: 1275h for that.</param>
    /// <param name="multiFunction">Its slot holds other functions, too.</param>
    public static IPciFunction HostBridge(ushort vendor = 0x1275, ushort device = 0x1275, bool multiFunction = false) =>
        Make(vendor, device, HostBridgeClass, multiFunction);

    /// <summary>A bridge to the ISA or LPC bus: 8086:7000, Intel's PIIX3.</summary>
    /// <param name="multiFunction">Its slot holds other functions, too.</param>
    public static IPciFunction LpcBridge(bool multiFunction = false) => Make(0x8086, 0x7000, IsaBridgeClass, multiFunction);

    // No BARs, no capabilities. A bridge's decoding can't be switched off, but software may write the command register.
    private static EmulatedFunction Make(ushort vendor, ushort device, uint classCode, bool multiFunction)
    {
        Span<byte> values = stackalloc byte[Header.End];
        Span<byte> writable = stackalloc byte[Header.End];
        values.Clear();
        writable.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(values[Header.VendorId..], vendor);
        BinaryPrimitives.WriteUInt16LittleEndian(values[Header.DeviceId..], device);
        // The class code takes three bytes: written with the revision, which is zero, it is a whole dword.
        BinaryPrimitives.WriteUInt32LittleEndian(values[Header.RevisionId..], classCode << 8);
        values[Header.HeaderType] = multiFunction ? Header.MultiFunction : (byte)0;
        const CommandBits Decoding = CommandBits.Io | CommandBits.Memory | CommandBits.BusMaster;
        BinaryPrimitives.WriteUInt16LittleEndian(values[Header.Command..], (ushort)Decoding);
        BinaryPrimitives.WriteUInt16LittleEndian(writable[Header.Command..], (ushort)Decoding);
        return new EmulatedFunction(values, writable);
    }
}
