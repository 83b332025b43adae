using System.Numerics;

namespace Hatchway.Pci.Spec;

/// <summary>The header of a capability (PCIe 6.0 §7.5.1.1.11). Offsets count from the capability's start.</summary>
public static class CapabilityHeader
{
    /// <summary>Bytes of the header, which is all that a null capability has.</summary>
    public const int Bytes = 2;

    /// <summary>Pointer to the next capability, 8 bits; 0 in the last.</summary>
    public const int Next = 1;

    /// <summary>Bits of a pointer to a capability; the two low bits are reserved and must be masked.</summary>
    public const byte PointerMask = 0xFC;
}

/// <summary>The header of an extended capability, 32 bits: identifier in 15:0, version in 19:16, pointer to the next in 31:20 (PCIe 6.0
/// §7.6.3).</summary>
public static class ExtendedCapabilityHeader
{
    /// <summary>Bytes of the header.</summary>
    public const int Bytes = 4;

    /// <summary>Mask of the header without the pointer.</summary>
    public const uint KindMask = 0x000F_FFFF;

    /// <summary>A null capability of version 1, without a pointer.</summary>
    public const uint Null = 0x0001_0000;

    /// <summary>Offset of the next extended capability; 0 in the last. The two low bits are reserved and masked.</summary>
    public static int Next(uint header) => (int)(header >> 20) & 0xFFC;

    /// <summary>Gives the header another pointer to the next one; 0 for the last.</summary>
    public static uint WithNext(uint header, int next) => (header & KindMask) | ((uint)next << 20);
}

/// <summary>Vendor-specific capabilities (PCIe 6.0 §7.9.4 to .6). Offsets count from the capability's start.</summary>
public static class VendorSpecific
{
    /// <summary>The standard capability's length in bytes, 8 bits.</summary>
    public const int LengthAt = 2;

    /// <summary>Least bytes of the standard capability, up to its length field.</summary>
    public const byte SmallestLength = 3;

    /// <summary>The vendor-specific header of the extended capabilities, also of designated ones, 32 bits: length in 31:20.</summary>
    public const int ExtendedHeader = 4;

    /// <summary>Bytes of an extended capability, by its vendor-specific header.</summary>
    public static int ExtendedLength(uint header) => (int)(header >> 20);
}

/// <summary>Vital product data (PCI Local Bus 3.0, appendix I).</summary>
public static class VitalProductData
{
    /// <summary>Bytes of the capability.</summary>
    public const int Length = 8;
}

/// <summary>The MSI capability (PCIe 6.0 §7.7.1). Offsets count from the capability's start.</summary>
public static class Msi
{
    /// <summary>Message control, 16 bits.</summary>
    public const int Control = 2;

    /// <summary>Control: MSI is on.</summary>
    public const ushort Enable = 1 << 0;

    /// <summary>Control: log2 of the vectors that the function requests, bits 3:1.</summary>
    public const ushort MultipleCapableMask = 0b111 << 1;

    /// <summary>Control: log2 of the vectors that software grants, bits 6:4.</summary>
    public const ushort MultipleEnableMask = 0b111 << 4;

    /// <summary>Number of vectors that the function requests, by its control register: a power of two.</summary>
    public static int RequestedVectors(ushort control) => 1 << ((control & MultipleCapableMask) >> 1);

    /// <summary>Number of vectors that software grants, by the control register: a power of two.</summary>
    public static int GrantedVectors(ushort control) => 1 << ((control & MultipleEnableMask) >> 4);

    /// <summary>Control: the field by which a function requests vectors, in place.</summary>
    /// <param name="vectors">At least 1, rounded down to a power of two.</param>
    public static ushort MultipleCapable(int vectors) => (ushort)(BitOperations.Log2((uint)vectors) << 1);

    /// <summary>Control: the address is 64 bits wide.</summary>
    public const ushort Address64 = 1 << 7;

    /// <summary>Control: the capability has mask and pending bits.</summary>
    public const ushort PerVectorMasking = 1 << 8;

    /// <summary>Message address, low half.</summary>
    public const int AddressLow = 4;

    /// <summary>Message address, high half; only with <see cref="Address64"/>.</summary>
    public const int AddressHigh = 8;

    /// <summary>Bytes of the capability, by what its control register says.</summary>
    public static int Length(ushort control) => (control & Address64, control & PerVectorMasking) switch
    {
        (0, 0) => 10,
        (_, 0) => 14,
        (0, _) => 20,
        _ => 24,
    };

    /// <summary>Message data, 16 bits.</summary>
    public static int Data(ushort control) => (control & Address64) != 0 ? 12 : 8;

    /// <summary>Extended message data, 16 bits, if the function has them (§7.7.1.6).</summary>
    public static int ExtendedData(ushort control) => Data(control) + 2;

    /// <summary>Mask bits, 32 bits; with <see cref="PerVectorMasking"/> only.</summary>
    public static int MaskBits(ushort control) => Data(control) + 4;

    /// <summary>Pending bits, 32 bits, read-only; with <see cref="PerVectorMasking"/> only.</summary>
    public static int PendingBits(ushort control) => Data(control) + 8;
}

/// <summary>The MSI-X capability and table (PCIe 6.0 §7.7.2). Offsets count from the capability's start.</summary>
public static class Msix
{
    /// <summary>Bytes of the capability.</summary>
    public const int Length = 12;

    /// <summary>Message control, 16 bits.</summary>
    public const int Control = 2;

    /// <summary>Control: the table's entries less one, bits 10:0.</summary>
    public const ushort TableSizeMask = 0x7FF;

    /// <summary>Entries of the table, 1 to 2048, by the control register.</summary>
    public static int Entries(ushort control) => (control & TableSizeMask) + 1;

    /// <summary>Control: all vectors are masked.</summary>
    public const ushort FunctionMask = 1 << 14;

    /// <summary>Control: MSI-X is on.</summary>
    public const ushort Enable = 1 << 15;

    /// <summary>The table's place, 32 bits: BAR in bits 2:0, offset in the rest.</summary>
    public const int Table = 4;

    /// <summary>The pending bits' place, 32 bits: BAR in bits 2:0, offset in the rest.</summary>
    public const int Pba = 8;

    /// <summary>Bits of <see cref="Table"/> and <see cref="Pba"/> that name the BAR: the BIR, BAR indicator register.</summary>
    public const uint BirMask = 0b111;

    /// <summary>Bytes of one entry: address low, address high, data, vector control (§7.7.2.5 to .8).</summary>
    public const int EntryBytes = 16;

    /// <summary>An entry's message data, 32 bits; the address is before it.</summary>
    public const int MessageData = 8;

    /// <summary>An entry's vector control, 32 bits.</summary>
    public const int VectorControl = 12;

    /// <summary>Vector control: the vector is masked.</summary>
    public const uint VectorMasked = 1;
}

/// <summary>The PCI-X capability of an endpoint (PCI-X Addendum 2.0 §7.2). Offsets count from the capability's start.</summary>
public static class PciX
{
    /// <summary>PCI-X command, 16 bits.</summary>
    public const int Command = 2;

    /// <summary>Command: the capability's version, bits 13:12. From 1 on there are ECC registers.</summary>
    public const ushort VersionMask = 0b11 << 12;

    /// <summary>Bytes of the capability, by what its command register says.</summary>
    public static int Length(ushort command) => (command & VersionMask) == 0 ? 8 : 24;
}

/// <summary>The power management capability (PCIe 6.0 §7.5.2). Offsets count from the capability's start.</summary>
public static class PowerManagement
{
    /// <summary>Bytes of the capability.</summary>
    public const int Length = 8;

    /// <summary>Power management capabilities, 16 bits, read-only.</summary>
    public const int Capabilities = 2;

    /// <summary>Capabilities: the states that PME# can be asserted from, bits 15:11.</summary>
    public const ushort PmeSupportMask = 0xF800;

    /// <summary>Power management control and status, 16 bits.</summary>
    public const int ControlStatus = 4;

    /// <summary>Control: the power state, D0 to D3hot, bits 1:0.</summary>
    public const ushort PowerStateMask = 0b11;

    /// <summary>Control: the power state D0, fully on, in place.</summary>
    public const ushort D0 = 0b00;

    /// <summary>Control: the power state D3hot, in place.</summary>
    public const ushort D3Hot = 0b11;

    /// <summary>Control: the fields of wake-up and of the data register, bits 15:8, and the reserved bits 7:4.</summary>
    public const ushort WakeAndDataMask = 0xFFF0;

    /// <summary>Control: the function keeps its state on the way from D3hot to D0; without this bit it resets itself.</summary>
    public const ushort NoSoftReset = 1 << 3;
}

/// <summary>The PCI Express capability (PCIe 6.0 §7.5.3). Offsets count from the capability's start.</summary>
public static class PciExpress
{
    /// <summary>Bytes of a version 2 capability.</summary>
    public const int LengthV2 = 0x3C;

    /// <summary>Bytes of a version 1 capability of an endpoint: up to and with the link registers.</summary>
    public const int LengthV1 = 0x14;

    /// <summary>PCI Express capabilities, 16 bits: version in 3:0, device/port type in 7:4 (§7.5.3.2).</summary>
    public const int Capabilities = 0x02;

    /// <summary>Capabilities: version.</summary>
    public const ushort VersionMask = 0x000F;

    /// <summary>Capabilities: device/port type.</summary>
    public const ushort TypeMask = 0x00F0;

    /// <summary>Device/port type, in place: PCI Express endpoint.</summary>
    public const ushort TypeEndpoint = 0x0 << 4;

    /// <summary>Device/port type, in place: legacy PCI Express endpoint.</summary>
    public const ushort TypeLegacyEndpoint = 0x1 << 4;

    /// <summary>Device/port type, in place: root complex integrated endpoint.</summary>
    public const ushort TypeRootComplexIntegrated = 0x9 << 4;

    /// <summary>Device/port type, in place: root port.</summary>
    public const ushort TypeRootPort = 0x4 << 4;

    /// <summary>Device/port type, in place: upstream port of a switch.</summary>
    public const ushort TypeUpstreamPort = 0x5 << 4;

    /// <summary>Device/port type, in place: downstream port of a switch.</summary>
    public const ushort TypeDownstreamPort = 0x6 << 4;

    /// <summary>Device/port type, in place: bridge from PCI Express to PCI or PCI-X.</summary>
    public const ushort TypeExpressToPci = 0x7 << 4;

    /// <summary>Device/port type, in place: bridge from PCI or PCI-X to PCI Express.</summary>
    public const ushort TypePciToExpress = 0x8 << 4;

    /// <summary>Device/port type, in place: root complex event collector.</summary>
    public const ushort TypeEventCollector = 0xA << 4;

    /// <summary>Device capabilities, 32 bits (§7.5.3.3).</summary>
    public const int DeviceCapabilities = 0x04;

    /// <summary>Device capabilities: the function has a function level reset.</summary>
    public const uint FlrCapable = 1u << 28;

    /// <summary>Device control, 16 bits (§7.5.3.4).</summary>
    public const int DeviceControl = 0x08;

    /// <summary>Device control: initiate a function level reset; reads as zero.</summary>
    public const ushort InitiateFlr = 1 << 15;

    /// <summary>Link capabilities, control and status: 8 bytes that an integrated endpoint does not have (§7.5.3.6 to .8).</summary>
    public const int Link = 0x0C;

    /// <summary>Link status, 16 bits: speed in 3:0, width in 9:4 (§7.5.3.8).</summary>
    public const int LinkStatus = 0x12;

    /// <summary>Link status: the speed, as an index into <see cref="LinkSpeeds"/>.</summary>
    public const ushort LinkSpeedMask = 0x000F;

    /// <summary>Link status: lanes in use, bits 9:4.</summary>
    public const ushort LinkWidthMask = 0x03F0;

    /// <summary>Lanes in use, by the link status; 0 without a link.</summary>
    public static int Lanes(ushort linkStatus) => (linkStatus & LinkWidthMask) >> 4;

    /// <summary>GT/s of each lane, by the field's value, 1 to 6 (§7.5.3.18, the supported speeds vector's order); 0 is reserved.</summary>
    public static IReadOnlyList<string> LinkSpeeds { get; } = ["", "2.5", "5", "8", "16", "32", "64"];

    /// <summary>Device control 2, 16 bits, of a version 2 capability (§7.5.3.16).</summary>
    public const int DeviceControl2 = 0x28;

    /// <summary>Device control 2: the function may send atomic operations.</summary>
    public const ushort AtomicRequesterEnable = 1 << 6;

    /// <summary>Device control 2: the function may send latency tolerance reports.</summary>
    public const ushort LatencyToleranceEnable = 1 << 10;

    /// <summary>Device control 2: the function's requests may have 10-bit tags.</summary>
    public const ushort TenBitTagEnable = 1 << 12;

    /// <summary>Device control 2: OBFF enable, how the function learns that memory is active, bits 14:13.</summary>
    public const ushort BufferFlushMask = 0b11 << 13;

    /// <summary>Link capabilities 2, control 2 and status 2: 8 bytes, likewise (§7.5.3.18 to .20).</summary>
    public const int Link2 = 0x2C;

    /// <summary>Bytes of each of the two blocks of link registers.</summary>
    public const int LinkBytes = 8;
}

/// <summary>Single root I/O virtualisation (PCIe 6.0 §9.3.3). Offsets count from the capability's start.</summary>
public static class SingleRootIov
{
    /// <summary>TotalVFs, 16 bits: the most virtual functions that can be enabled (§9.3.3.6).</summary>
    public const int TotalFunctions = 0x0E;

    /// <summary>NumVFs, 16 bits: the virtual functions that are enabled (§9.3.3.7).</summary>
    public const int Functions = 0x10;
}

/// <summary>Advanced error reporting (PCIe 6.0 §7.8.4).</summary>
public static class AdvancedErrors
{
    /// <summary>Bytes of the capability, header and TLP prefix log included.</summary>
    public const int Length = 0x48;
}

/// <summary>The advanced features capability of a conventional function (PCI Advanced Capabilities ECN §2). Offsets count from its
/// start.</summary>
public static class AdvancedFeatures
{
    /// <summary>Bytes of the capability.</summary>
    public const int Length = 6;

    /// <summary>Capabilities, 8 bits.</summary>
    public const int Capabilities = 3;

    /// <summary>Capabilities: the function reports pending transactions, which a reset depends on.</summary>
    public const byte TransactionsPending = 1 << 0;

    /// <summary>Capabilities: the function has a function level reset.</summary>
    public const byte FlrCapable = 1 << 1;

    /// <summary>Control, 8 bits.</summary>
    public const int Control = 4;

    /// <summary>Control: initiate a function level reset; reads as zero.</summary>
    public const byte InitiateFlr = 1 << 0;
}
