namespace Hatchway.Pci.Spec;

/// <summary>Capability identifiers (PCI Code and ID Assignment Specification 1.15 §2).</summary>
public enum CapabilityId : byte
{
    /// <summary>Null capability: only the header (PCIe 6.0 §7.9.27).</summary>
    Null = 0x00,

    /// <summary>PCI power management.</summary>
    PowerManagement = 0x01,

    /// <summary>Vital product data.</summary>
    VitalProductData = 0x03,

    /// <summary>Message signalled interrupts.</summary>
    Msi = 0x05,

    /// <summary>PCI-X.</summary>
    PciX = 0x07,

    /// <summary>Vendor-specific; its third byte is its length.</summary>
    VendorSpecific = 0x09,

    /// <summary>PCI Express.</summary>
    PciExpress = 0x10,

    /// <summary>MSI-X.</summary>
    Msix = 0x11,

    /// <summary>Advanced features: FLR for conventional functions.</summary>
    AdvancedFeatures = 0x13,

    /// <summary>Enhanced allocation: fixed BARs outside the BAR registers.</summary>
    EnhancedAllocation = 0x14,
}

/// <summary>Extended capability identifiers (PCI Code and ID Assignment Specification 1.15 §3).</summary>
public enum ExtendedCapabilityId : ushort
{
    /// <summary>Null capability (PCIe 6.0 §7.9.28).</summary>
    Null = 0x0000,

    /// <summary>Advanced error reporting.</summary>
    AdvancedErrorReporting = 0x0001,

    /// <summary>Device serial number.</summary>
    DeviceSerialNumber = 0x0003,

    /// <summary>Power budgeting.</summary>
    PowerBudgeting = 0x0004,

    /// <summary>Vendor-specific.</summary>
    VendorSpecific = 0x000B,

    /// <summary>Access control services.</summary>
    AccessControlServices = 0x000D,

    /// <summary>Alternative routing-ID interpretation.</summary>
    AlternativeRoutingId = 0x000E,

    /// <summary>Address translation services.</summary>
    AddressTranslation = 0x000F,

    /// <summary>Single root I/O virtualisation.</summary>
    SingleRootIov = 0x0010,

    /// <summary>Multi-root I/O virtualisation.</summary>
    MultiRootIov = 0x0011,

    /// <summary>Page request interface.</summary>
    PageRequest = 0x0013,

    /// <summary>Resizable BAR.</summary>
    ResizableBar = 0x0015,

    /// <summary>Dynamic power allocation.</summary>
    DynamicPowerAllocation = 0x0016,

    /// <summary>Latency tolerance reporting.</summary>
    LatencyTolerance = 0x0018,

    /// <summary>Secondary PCI Express: lanes of the link at 8 GT/s and above.</summary>
    SecondaryPciExpress = 0x0019,

    /// <summary>Process address space identifiers.</summary>
    Pasid = 0x001B,

    /// <summary>Downstream port containment.</summary>
    DownstreamPortContainment = 0x001D,

    /// <summary>L1 PM substates.</summary>
    L1Substates = 0x001E,

    /// <summary>Precision time measurement.</summary>
    PrecisionTime = 0x001F,

    /// <summary>Designated vendor-specific: its length is in its second dword (§7.9.6).</summary>
    DesignatedVendorSpecific = 0x0023,

    /// <summary>Resizable BARs of virtual functions.</summary>
    VfResizableBar = 0x0024,

    /// <summary>Data link feature.</summary>
    DataLinkFeature = 0x0025,

    /// <summary>Physical layer at 16 GT/s.</summary>
    PhysicalLayer16 = 0x0026,

    /// <summary>Lane margining at the receiver.</summary>
    LaneMargining = 0x0027,

    /// <summary>Physical layer at 32 GT/s.</summary>
    PhysicalLayer32 = 0x002A,

    /// <summary>Integrity and data encryption of the link.</summary>
    LinkEncryption = 0x0030,

    /// <summary>Physical layer at 64 GT/s.</summary>
    PhysicalLayer64 = 0x0031,
}
