namespace Hatchway.Pci.Spec;

/// <summary>Registers of the type 0 configuration header (PCIe 6.0 §7.5.1.1 and §7.5.1.2).</summary>
public static class Header
{
    /// <summary>Vendor ID, 16 bits, read-only (§7.5.1.1.1). 0xFFFF: no function answers.</summary>
    public const int VendorId = 0x00;

    /// <summary>Device ID, 16 bits, read-only (§7.5.1.1.2).</summary>
    public const int DeviceId = 0x02;

    /// <summary>Command, 16 bits (§7.5.1.1.3); its bits are <see cref="CommandBits"/>.</summary>
    public const int Command = 0x04;

    /// <summary>Status, 16 bits, mostly write-one-to-clear (§7.5.1.1.4).</summary>
    public const int Status = 0x06;

    /// <summary>Bit of <see cref="Status"/>: the function has a capability list.</summary>
    public const ushort StatusCapabilityList = 1 << 4;

    /// <summary>Revision ID, 8 bits, read-only (§7.5.1.1.5).</summary>
    public const int RevisionId = 0x08;

    /// <summary>Class code, 24 bits: programming interface, sub-class, base class (§7.5.1.1.6).</summary>
    public const int ClassCode = 0x09;

    /// <summary>The class code's base class, 8 bits (§7.5.1.1.6).</summary>
    public const int BaseClass = 0x0B;

    /// <summary>Header type, 8 bits: layout in 6:0, multi-function in 7 (§7.5.1.1.9).</summary>
    public const int HeaderType = 0x0E;

    /// <summary>Bit of <see cref="HeaderType"/>: the device may have other functions.</summary>
    public const byte MultiFunction = 0x80;

    /// <summary>Mask of <see cref="HeaderType"/>: the layout. 0 is an endpoint, 1 a bridge.</summary>
    public const byte LayoutMask = 0x7F;

    /// <summary>BAR0, the first of six registers of 32 bits (§7.5.1.2.1).</summary>
    public const int Bar0 = 0x10;

    /// <summary>Subsystem vendor ID, 16 bits (§7.5.1.2.3).</summary>
    public const int SubsystemVendorId = 0x2C;

    /// <summary>Subsystem ID, 16 bits (§7.5.1.2.3).</summary>
    public const int SubsystemId = 0x2E;

    /// <summary>Expansion ROM base address, 32 bits (§7.5.1.2.4).</summary>
    public const int RomBar = 0x30;

    /// <summary>Capabilities pointer, 8 bits (§7.5.1.1.11).</summary>
    public const int CapabilitiesPointer = 0x34;

    /// <summary>Interrupt line, 8 bits: a scratch register in which software keeps the routing (§7.5.1.1.12).</summary>
    public const int InterruptLine = 0x3C;

    /// <summary>Interrupt pin, 8 bits, read-only: 0 none, 1 to 4 INTA to INTD (§7.5.1.1.13).</summary>
    public const int InterruptPin = 0x3D;

    /// <summary>End of the header; capabilities lie behind it.</summary>
    public const int End = 0x40;

    /// <summary>Bytes of conventional config space.</summary>
    public const int ConventionalSize = 256;

    /// <summary>Bytes of PCI Express config space; the extended capabilities begin at 256 (§7.6.1).</summary>
    public const int ExpressSize = 4096;
}

/// <summary>Bits of the command register (PCIe 6.0 §7.5.1.1.3).</summary>
[Flags]
public enum CommandBits : ushort
{
    /// <summary>None of them.</summary>
    None = 0,

    /// <summary>I/O BARs answer.</summary>
    Io = 1 << 0,

    /// <summary>Memory BARs answer.</summary>
    Memory = 1 << 1,

    /// <summary>The function may issue requests: DMA and MSI.</summary>
    BusMaster = 1 << 2,

    /// <summary>The function may not assert INTx.</summary>
    IntxDisable = 1 << 10,
}

/// <summary>Bits of a base address register (PCIe 6.0 §7.5.1.2.1, PCI Local Bus 3.0 §6.2.5.1).</summary>
public static class BarBits
{
    /// <summary>Set: the BAR decodes I/O ports.</summary>
    public const uint Io = 1;

    /// <summary>The type field of a memory BAR.</summary>
    public const uint TypeMask = 0b110;

    /// <summary>Type: 64-bit; the next register holds the upper half.</summary>
    public const uint Type64 = 0b100;

    /// <summary>Memory that may be prefetched.</summary>
    public const uint Prefetchable = 0b1000;

    /// <summary>The read-only low bits of a memory BAR.</summary>
    public const uint MemoryFlagsMask = 0xF;

    /// <summary>The read-only low bits of an I/O BAR.</summary>
    public const uint IoFlagsMask = 0x3;

    /// <summary>Enable bit of the expansion ROM's register.</summary>
    public const uint RomEnable = 1;

    /// <summary>The address bits of the expansion ROM's register.</summary>
    public const uint RomAddressMask = 0xFFFF_F800;

    /// <summary>Bytes of the smallest BAR of I/O ports.</summary>
    public const uint SmallestIo = 4;

    /// <summary>Bytes of the smallest BAR of memory.</summary>
    public const uint SmallestMemory = 16;

    /// <summary>Bytes of the smallest expansion ROM (PCIe 6.0 §7.5.1.2.4).</summary>
    public const uint SmallestRom = 2048;
}
