using System.Buffers.Binary;
using System.Text;
using Hatchway.Machine.Devices;

namespace Hatchway.Machine.Acpi;

/// <summary>RSDP, XSDT, FADT, FACS and MCFG.</summary>
internal static class FixedTables
{
    /// <summary>Bytes of the RSDP.</summary>
    public const int RsdpLength = 36;

    /// <summary>Bytes of the revision 1 part, which the first checksum covers.</summary>
    public const int RsdpLengthRevision1 = 20;

    /// <summary>Offset of the RSDP's first checksum.</summary>
    public const int RsdpChecksum = 8;

    /// <summary>Offset of the RSDP's checksum over all its bytes.</summary>
    public const int RsdpExtendedChecksum = 32;

    /// <summary>Offset of the XSDT's 64-bit address in the RSDP.</summary>
    public const int RsdpXsdt = 24;

    private const int FacsLength = 64;
    private const int McfgLength = AcpiTable.HeaderLength + 8 + 16;
    private const byte SystemIoSpace = 1;

    /// <summary>The root pointer, revision 2 (ACPI 6.5 §5.2.5.3), without its two checksums: one over revision 1's part, one over
    /// all.</summary>
    public static byte[] Rsdp(ulong xsdt)
    {
        var bytes = new byte[RsdpLength];
        "RSD PTR "u8.CopyTo(bytes);
        Encoding.ASCII.GetBytes(AcpiTable.OemId, bytes.AsSpan(9));
        bytes[15] = 2;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(20), RsdpLength);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(RsdpXsdt), xsdt);
        return bytes;
    }

    /// <summary>The list of tables (ACPI 6.5 §5.2.8).</summary>
    public static byte[] Xsdt(ReadOnlySpan<ulong> tables)
    {
        var table = new AcpiTable("XSDT", 1, AcpiTable.HeaderLength + (tables.Length * sizeof(ulong)));
        for (var index = 0; index < tables.Length; index++)
            table.UInt64(AcpiTable.HeaderLength + (index * sizeof(ulong)), tables[index]);
        return table.Finish();
    }

    /// <summary>The firmware control structure, version 2, which has no checksum (ACPI 6.5 §5.2.10).</summary>
    public static byte[] Facs()
    {
        var bytes = new byte[FacsLength];
        "FACS"u8.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), FacsLength);
        bytes[32] = 2;
        return bytes;
    }

    /// <summary>Says where bus 0's configuration space is mapped in memory (PCI Firmware 3.3 §4.1.2).</summary>
    public static byte[] Mcfg(ulong ecam)
    {
        var table = new AcpiTable("MCFG", 1, McfgLength);
        // Segment 0, first and last bus 0.
        table.UInt64(AcpiTable.HeaderLength + 8, ecam);
        return table.Finish();
    }

    /// <summary>The fixed hardware (ACPI 6.5 §5.2.9, revision 6.0), from a port on.</summary>
    public static byte[] Fadt(ulong facs, ulong dsdt, ushort firstPort, bool hasSerialPort)
    {
        var table = new AcpiTable("FACP", 6, Fields.Length);
        // Below 4 GiB the FACS goes into the 32-bit field and its 64-bit one stays zero; the DSDT goes into both.
        table.UInt32(Fields.FirmwareControl, (uint)facs);
        table.UInt32(Fields.Dsdt, (uint)dsdt);
        table.UInt64(Fields.XDsdt, dsdt);
        table.UInt16(Fields.SciInterrupt, (ushort)PowerManagementDevice.SciGsi);

        // SMI_CMD stays zero: the machine is in ACPI mode from the start. There are no general-purpose events.
        WriteBlock(
            table, firstPort + PowerManagementDevice.EventBlock, Fields.Pm1aEvent, Fields.Pm1EventLength, Fields.XPm1aEvent,
            PowerManagementDevice.EventBlockLength, AccessSize.Word);
        WriteBlock(
            table, firstPort + PowerManagementDevice.ControlBlock, Fields.Pm1aControl, Fields.Pm1ControlLength, Fields.XPm1aControl,
            PowerManagementDevice.ControlBlockLength, AccessSize.Word);
        WriteBlock(
            table, firstPort + PowerManagementDevice.TimerBlock, Fields.PmTimer, Fields.PmTimerLength, Fields.XPmTimer,
            PowerManagementDevice.TimerBlockLength, AccessSize.DWord);

        // Latencies above 100 and 1000 say that there is no C2 and no C3.
        table.UInt16(Fields.C2Latency, 0xFFF);
        table.UInt16(Fields.C3Latency, 0xFFF);
        table.UInt16(Fields.BootArchitecture, (ushort)(BootArchitecture.NoVga | (hasSerialPort ? BootArchitecture.LegacyDevices : 0)));
        table.UInt8(Fields.Century, RealTimeClock.CenturyRegister);
        table.UInt32(Fields.Flags, (uint)(FadtFlags.WriteBackInvalidate | FadtFlags.C1OnAllProcessors
            | FadtFlags.NoFixedSleepButton | FadtFlags.NoFixedRtcWake | FadtFlags.ResetRegister));
        WriteGenericAddress(table, Fields.ResetRegister, ResetPort.Port, 1, AccessSize.Byte);
        table.UInt8(Fields.ResetValue, ResetPort.AcpiResetValue);
        return table.Finish();
    }

    /// <summary>Offset and size of each of the FADT's fields that holds another table's address.</summary>
    public static ReadOnlySpan<(int Offset, int Size)> FadtPointers =>
        new[] { (Fields.FirmwareControl, sizeof(uint)), (Fields.Dsdt, sizeof(uint)), (Fields.XDsdt, sizeof(ulong)) };

    private static void WriteBlock(
        AcpiTable table, int port, int field, int lengthField, int extendedField, byte length, AccessSize access)
    {
        table.UInt32(field, (uint)port);
        table.UInt8(lengthField, length);
        WriteGenericAddress(table, extendedField, port, length, access);
    }

    // ACPI 6.5 §5.2.3.2.
    private static void WriteGenericAddress(AcpiTable table, int offset, int port, byte length, AccessSize access)
    {
        table.UInt8(offset, SystemIoSpace);
        table.UInt8(offset + 1, (byte)(length * 8));
        table.UInt8(offset + 3, (byte)access);
        table.UInt64(offset + 4, (ulong)port);
    }

    private enum AccessSize : byte
    {
        Byte = 1,
        Word = 2,
        DWord = 3,
    }

    // IAPC_BOOT_ARCH, table 5.11. Bits left clear mean: no 8042; MSI works; a CMOS RTC is present.
    [Flags]
    private enum BootArchitecture : ushort
    {
        LegacyDevices = 1 << 0,
        NoVga = 1 << 2,
    }

    // Table 5.10. Bits left clear mean: the power button is the fixed one; the timer has 24 bits.
    [Flags]
    private enum FadtFlags : uint
    {
        WriteBackInvalidate = 1 << 0,
        C1OnAllProcessors = 1 << 2,
        NoFixedSleepButton = 1 << 5,
        NoFixedRtcWake = 1 << 6,
        ResetRegister = 1 << 10,
    }

    // Table 5.9.
    private static class Fields
    {
        public const int FirmwareControl = 36;
        public const int Dsdt = 40;
        public const int SciInterrupt = 46;
        public const int Pm1aEvent = 56;
        public const int Pm1aControl = 64;
        public const int PmTimer = 76;
        public const int Pm1EventLength = 88;
        public const int Pm1ControlLength = 89;
        public const int PmTimerLength = 91;
        public const int C2Latency = 96;
        public const int C3Latency = 98;
        public const int Century = 108;
        public const int BootArchitecture = 109;
        public const int Flags = 112;
        public const int ResetRegister = 116;
        public const int ResetValue = 128;
        public const int XDsdt = 140;
        public const int XPm1aEvent = 148;
        public const int XPm1aControl = 172;
        public const int XPmTimer = 208;
        public const int Length = 276;
    }
}
