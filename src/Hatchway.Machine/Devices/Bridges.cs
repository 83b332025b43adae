using System.Buffers.Binary;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine.Devices;

/// <summary>The bridges that a guest expects on its bus. They consist of config space only.</summary>
/// <remarks>The default identities are those of bhyve's <c>hostbridge</c> and <c>lpc</c>, so guests see no difference.</remarks>
public static class Bridges
{
    // Class codes: base class, sub-class, programming interface (PCI Code and ID Assignment 1.11 §1.7).
    private const uint HostBridgeClass = 0x060000;
    private const uint IsaBridgeClass = 0x060100;

    /// <summary>The vendor id, NetApp's, and also the device id of bhyve's <c>hostbridge</c>.</summary>
    public const ushort NetApp = 0x1275;

    /// <summary>Makes a host bridge.</summary>
    /// <param name="vendor">Its vendor id.</param>
    /// <param name="device">Its device id.</param>
    /// <param name="multiFunction">True when its slot holds other functions, too.</param>
    public static IPciFunction HostBridge(ushort vendor = NetApp, ushort device = NetApp, bool multiFunction = false) =>
        Make(vendor, device, HostBridgeClass, multiFunction);

    /// <summary>Makes a bridge to the ISA or LPC bus: 8086:7000, Intel's PIIX3.</summary>
    /// <param name="multiFunction">True when its slot holds other functions, too.</param>
    public static IPciFunction LpcBridge(bool multiFunction = false) =>
        Make(Piix.Vendor, Piix.IsaBridgeDevice, IsaBridgeClass, multiFunction);

    /// <summary>Makes the host bridge by which firmware recognises a PC: 8086:1237, Intel's 82441FX, the PIIX3's companion.</summary>
    /// <param name="multiFunction">True when its slot holds other functions, too.</param>
    public static IPciFunction I440FxHostBridge(bool multiFunction = false) =>
        Make(Piix.Vendor, Piix.HostBridgeDevice, HostBridgeClass, multiFunction);

    /// <summary>
    /// Makes the function where firmware on an i440FX looks up the PM timer: the PIIX4's power management, slot 1 function 3. It has the
    /// two registers that firmware reads and an all-ones identity, so that no system finds it: the FADT describes the hardware, and the
    /// rest of a PIIX4 is missing.
    /// </summary>
    /// <param name="firstPort">The first port of ACPI's fixed hardware.</param>
    public static IPciFunction PowerManagementRegisters(ushort firstPort)
    {
        Span<byte> values = stackalloc byte[Header.ConventionalSize];
        values.Clear();
        values[..Header.End].Fill(0xFF);
        BinaryPrimitives.WriteUInt32LittleEndian(values[Piix.PowerManagementBase..], firstPort | BarBits.Io);
        values[Piix.PowerManagementMiscellaneous] = Piix.PowerManagementEnable;
        return new EmulatedFunction(values, []);
    }

    // No BARs, no capabilities. Software may write the command register, but a bridge's decoding can't be switched off.
    private static EmulatedFunction Make(ushort vendor, ushort device, uint classCode, bool multiFunction)
    {
        Span<byte> values = stackalloc byte[Header.End];
        Span<byte> writable = stackalloc byte[Header.End];
        values.Clear();
        writable.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(values[Header.VendorId..], vendor);
        BinaryPrimitives.WriteUInt16LittleEndian(values[Header.DeviceId..], device);
        // Class code and revision share a dword; the revision, in the lowest byte, is zero.
        BinaryPrimitives.WriteUInt32LittleEndian(values[Header.RevisionId..], classCode << 8);
        values[Header.HeaderType] = multiFunction ? Header.MultiFunction : (byte)0;
        const CommandBits Decoding = CommandBits.Io | CommandBits.Memory | CommandBits.BusMaster;
        BinaryPrimitives.WriteUInt16LittleEndian(values[Header.Command..], (ushort)Decoding);
        BinaryPrimitives.WriteUInt16LittleEndian(writable[Header.Command..], (ushort)Decoding);
        return new EmulatedFunction(values, writable);
    }
}
