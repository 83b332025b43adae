namespace Hatchway.Machine.Virtio.Spec;

/// <summary>The block device (Virtual I/O Device (VIRTIO) Version 1.2 §5.2).</summary>
internal static class Block
{
    /// <summary>The virtio device id (§5).</summary>
    public const ushort DeviceType = 2;

    /// <summary>Bytes of a sector: always 512, whatever the disk's block size is (§5.2.4).</summary>
    public const int SectorBytes = 512;

    /// <summary>Bytes of a request's header: type, reserved, sector (§5.2.6).</summary>
    public const int HeaderBytes = 16;

    /// <summary>Bytes of one range to discard or zero: sector, number of sectors, flags (§5.2.6).</summary>
    public const int RangeBytes = 16;

    /// <summary>Flag of a range to zero: the storage may be freed.</summary>
    public const uint Unmap = 1;

    /// <summary>Bytes of the disk's id (VIRTIO_BLK_T_GET_ID).</summary>
    public const int IdentityBytes = 20;
}

/// <summary>Feature bits (§5.2.3).</summary>
internal static class BlockFeature
{
    public const ulong SegmentMaximum = 1 << 2;
    public const ulong ReadOnly = 1 << 5;
    public const ulong BlockSize = 1 << 6;
    public const ulong Flush = 1 << 9;
    public const ulong Topology = 1 << 10;
    public const ulong Discard = 1 << 13;
    public const ulong WriteZeroes = 1 << 14;
}

/// <summary>Types of requests (§5.2.6).</summary>
internal enum BlockRequest : uint
{
    In = 0,
    Out = 1,
    Flush = 4,
    GetIdentity = 8,
    Discard = 11,
    WriteZeroes = 13,
}

/// <summary>A request's status, its last byte (§5.2.6).</summary>
internal enum BlockStatus : byte
{
    Ok = 0,
    Error = 1,
    Unsupported = 2,
}

/// <summary>Registers of the configuration (§5.2.4, struct virtio_blk_config).</summary>
internal static class BlockRegister
{
    public const int Capacity = 0;
    public const int SegmentMaximum = 12;
    public const int BlockSize = 20;
    public const int PhysicalBlockExponent = 24;
    public const int MinimumIoSize = 26;
    public const int MaximumDiscardSectors = 36;
    public const int MaximumDiscardRanges = 40;
    public const int DiscardAlignment = 44;
    public const int MaximumZeroSectors = 48;
    public const int MaximumZeroRanges = 52;
    public const int ZeroMayUnmap = 56;
    public const int Bytes = 60;
}
