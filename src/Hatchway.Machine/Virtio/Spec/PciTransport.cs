namespace Hatchway.Machine.Virtio.Spec;

/// <summary>A virtio function's identity and status bits on PCI (Virtual I/O Device (VIRTIO) Version 1.2 §4.1.2).</summary>
internal static class VirtioPci
{
    /// <summary>PCI vendor of all virtio devices (§4.1.2).</summary>
    public const ushort Vendor = 0x1AF4;

    /// <summary>PCI device id of a modern device, minus its virtio device id (§4.1.2).</summary>
    public const ushort FirstDevice = 0x1040;

    /// <summary>Revision of a device without a legacy interface (§4.1.2.1: 1 or higher).</summary>
    public const byte Revision = 1;

    /// <summary>A vector register's value for no vector (§4.1.5.1.2.1, VIRTIO_MSI_NO_VECTOR).</summary>
    public const ushort NoVector = 0xFFFF;

    /// <summary>ISR status: a queue has used buffers (§4.1.4.5).</summary>
    public const byte IsrQueue = 1;

    /// <summary>ISR status: the device's configuration or status has changed, as when it needs a reset (§4.1.4.5).</summary>
    public const byte IsrConfiguration = 2;
}

/// <summary>A virtio capability (§4.1.4, struct virtio_pci_cap). Offsets count from the capability's start.</summary>
internal static class VirtioCapability
{
    /// <summary>Offset of the capability's length.</summary>
    public const int Length = 2;

    /// <summary>Offset of the type of structure that it locates: one of the constants below.</summary>
    public const int Type = 3;

    /// <summary>Offset of the number of the BAR that holds the structure.</summary>
    public const int Bar = 4;

    /// <summary>Offset of the structure's offset in the BAR, 32 bits.</summary>
    public const int Offset = 8;

    /// <summary>Offset of the structure's length in bytes, 32 bits.</summary>
    public const int StructureLength = 12;

    /// <summary>Bytes of a capability without additional fields.</summary>
    public const int Bytes = 16;

    /// <summary>Offset of the additional field. Notification: bytes between doorbells, 32 bits (§4.1.4.4); configuration access: the data
    /// (§4.1.4.9).</summary>
    public const int More = 16;

    /// <summary>Bytes of the two capabilities with an additional field.</summary>
    public const int LongBytes = 20;

    /// <summary>VIRTIO_PCI_CAP_COMMON_CFG.</summary>
    public const byte Common = 1;

    /// <summary>VIRTIO_PCI_CAP_NOTIFY_CFG.</summary>
    public const byte Notify = 2;

    /// <summary>VIRTIO_PCI_CAP_ISR_CFG.</summary>
    public const byte Isr = 3;

    /// <summary>VIRTIO_PCI_CAP_DEVICE_CFG.</summary>
    public const byte Device = 4;

    /// <summary>VIRTIO_PCI_CAP_PCI_CFG: access to the BARs through config space.</summary>
    public const byte ConfigAccess = 5;
}

/// <summary>Registers of the common configuration (§4.1.4.3, struct virtio_pci_common_cfg).</summary>
internal static class CommonRegister
{
    public const int DeviceFeatureSelect = 0x00;
    public const int DeviceFeature = 0x04;
    public const int DriverFeatureSelect = 0x08;
    public const int DriverFeature = 0x0C;
    public const int ConfigMsixVector = 0x10;
    public const int QueueCount = 0x12;
    public const int DeviceStatus = 0x14;
    public const int ConfigGeneration = 0x15;
    public const int QueueSelect = 0x16;
    public const int QueueSize = 0x18;
    public const int QueueMsixVector = 0x1A;
    public const int QueueEnable = 0x1C;
    public const int QueueNotifyOffset = 0x1E;
    public const int QueueDescriptors = 0x20;
    public const int QueueDriver = 0x28;
    public const int QueueDevice = 0x30;
    public const int QueueNotifyData = 0x38;
    public const int QueueReset = 0x3A;
    public const int Bytes = 0x3C;
}

/// <summary>Bits of the device status (§2.1).</summary>
[Flags]
internal enum DeviceStatus : byte
{
    None = 0,
    Acknowledge = 1,
    Driver = 2,
    DriverOk = 4,
    FeaturesOk = 8,
    NeedsReset = 64,
    Failed = 128,
}
