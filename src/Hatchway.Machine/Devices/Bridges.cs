using System.Buffers.Binary;
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

    /// <summary>The vendor, NetApp, and the device's number of bhyve's <c>hostbridge</c>.</summary>
    public const ushort NetApp = 0x1275;

    /// <summary>A host bridge.</summary>
    /// <param name="vendor">Its vendor.</param>
    /// <param name="device">Its number.</param>
    /// <param name="multiFunction">Its slot holds other functions, too.</param>
    public static IPciFunction HostBridge(ushort vendor = NetApp, ushort device = NetApp, bool multiFunction = false) =>
        Make(vendor, device, HostBridgeClass, multiFunction);

    /// <summary>A bridge to the ISA or LPC bus: 8086:7000, Intel's PIIX3.</summary>
    /// <param name="multiFunction">Its slot holds other functions, too.</param>
    public static IPciFunction LpcBridge(bool multiFunction = false) =>
        Make(Piix.Vendor, Piix.IsaBridgeDevice, IsaBridgeClass, multiFunction);

    /// <summary>The host bridge that firmware knows a PC by: 8086:1237, Intel's 82441FX, beside which a PIIX3 is at home.</summary>
    /// <param name="multiFunction">Its slot holds other functions, too.</param>
    public static IPciFunction I440FxHostBridge(bool multiFunction = false) =>
        Make(Piix.Vendor, Piix.HostBridgeDevice, HostBridgeClass, multiFunction);

    /// <summary>
    /// Where firmware on an i440FX looks up the PM timer: the PIIX4's power management function, at slot 1 function 3. It has that
    /// function's two registers and no identity, so that no system finds it: what it describes is in the FADT, and nothing else of a
    /// PIIX4 is there.
    /// </summary>
    public static IPciFunction PowerManagementRegisters()
    {
        Span<byte> values = stackalloc byte[Header.ConventionalSize];
        values.Clear();
        values[..Header.End].Fill(0xFF);
        BinaryPrimitives.WriteUInt32LittleEndian(values[Piix.PowerManagementBase..], PowerManagementDevice.EventBlock | BarBits.Io);
        values[Piix.PowerManagementMiscellaneous] = Piix.PowerManagementEnable;
        return new EmulatedFunction(values, []);
    }

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
