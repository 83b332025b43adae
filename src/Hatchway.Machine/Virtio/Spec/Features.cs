namespace Hatchway.Machine.Virtio.Spec;

/// <summary>Feature bits common to all device types (Virtual I/O Device (VIRTIO) Version 1.2 §6).</summary>
internal static class Feature
{
    /// <summary>VIRTIO_F_INDIRECT_DESC: a descriptor may refer to a table of descriptors.</summary>
    public const ulong IndirectDescriptors = 1ul << 28;

    /// <summary>VIRTIO_F_EVENT_IDX: each side names the buffer after which it wants to be notified.</summary>
    public const ulong EventIndex = 1ul << 29;

    /// <summary>VIRTIO_F_VERSION_1: not a legacy device; every driver must accept it.</summary>
    public const ulong Version1 = 1ul << 32;

    /// <summary>VIRTIO_F_RING_PACKED: queues have the packed layout.</summary>
    public const ulong PackedRing = 1ul << 34;
}

/// <summary>Flags of a descriptor, in both layouts (§2.7.5, §2.8.1, §2.8.5).</summary>
internal static class DescriptorFlag
{
    public const ushort Next = 1;
    public const ushort Write = 2;
    public const ushort Indirect = 4;

    /// <summary>Packed layout: the driver's wrap counter when it made the descriptor available.</summary>
    public const ushort Available = 1 << 7;

    /// <summary>Packed layout: the wrap counter when the device used the descriptor.</summary>
    public const ushort Used = 1 << 15;
}

/// <summary>The split layout (§2.7): descriptor table, available ring (the driver area), used ring (the device area).</summary>
internal static class SplitLayout
{
    public const int DescriptorBytes = 16;
    public const int DescriptorAlignment = 16;
    public const int AvailableAlignment = 2;
    public const int UsedAlignment = 4;

    /// <summary>Offsets in both rings: flags, index, then the entries.</summary>
    public const int RingFlags = 0;
    public const int RingIndex = 2;
    public const int Ring = 4;
    public const int AvailableEntryBytes = 2;
    public const int UsedEntryBytes = 8;

    /// <summary>VIRTQ_AVAIL_F_NO_INTERRUPT and VIRTQ_USED_F_NO_NOTIFY have the same value.</summary>
    public const ushort DoNotTell = 1;

    /// <summary>Bytes of the available ring with used_event (§2.7.6).</summary>
    public static int AvailableBytes(int size) => Ring + (AvailableEntryBytes * size) + 2;

    /// <summary>Bytes of the used ring with avail_event (§2.7.8).</summary>
    public static int UsedBytes(int size) => Ring + (UsedEntryBytes * size) + 2;
}

/// <summary>The packed layout (§2.8): a descriptor ring, and an event suppression structure of each side.</summary>
internal static class PackedLayout
{
    public const int DescriptorBytes = 16;
    public const int DescriptorAlignment = 16;
    public const int DescriptorLength = 8;
    public const int DescriptorId = 12;
    public const int DescriptorFlags = 14;

    /// <summary>Event suppression (§2.8.10): offset in bits 14:0 and wrap counter in bit 15; then the flags.</summary>
    public const int EventDescriptor = 0;
    public const int EventFlags = 2;
    public const int EventBytes = 4;
    public const int EventAlignment = 4;
    public const int EventWrapBit = 15;

    /// <summary>RING_EVENT_FLAGS_ENABLE, _DISABLE, _DESC.</summary>
    public const ushort TellAlways = 0;
    public const ushort TellNever = 1;
    public const ushort TellAtDescriptor = 2;
}
