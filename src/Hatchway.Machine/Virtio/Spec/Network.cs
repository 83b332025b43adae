namespace Hatchway.Machine.Virtio.Spec;

/// <summary>The network device (Virtual I/O Device (VIRTIO) Version 1.2 §5.1).</summary>
internal static class Network
{
    /// <summary>The virtio device id (§5).</summary>
    public const ushort DeviceType = 1;

    /// <summary>Bytes before each packet: struct virtio_net_hdr, with num_buffers (§5.1.6).</summary>
    public const int HeaderBytes = 12;

    /// <summary>Offset of num_buffers in the header: how many buffers a received packet spans.</summary>
    public const int HeaderBuffers = 10;

    /// <summary>Bytes of the largest packet with segmentation offload, including Ethernet's and virtio's headers (§5.1.6.3.1).</summary>
    public const int LargestPacket = 65562;

    /// <summary>Bytes of Ethernet's header with a VLAN tag.</summary>
    public const int EthernetBytes = 18;

    /// <summary>VIRTIO_NET_S_LINK_UP in the configuration's status.</summary>
    public const ushort LinkUp = 1;
}

/// <summary>Feature bits (§5.1.3).</summary>
internal static class NetworkFeature
{
    public const ulong Checksum = 1ul << 0;
    public const ulong GuestChecksum = 1ul << 1;
    public const ulong Mtu = 1ul << 3;
    public const ulong Mac = 1ul << 5;
    public const ulong GuestTcp4 = 1ul << 7;
    public const ulong GuestTcp6 = 1ul << 8;
    public const ulong GuestEcn = 1ul << 9;
    public const ulong GuestUdp = 1ul << 10;
    public const ulong HostTcp4 = 1ul << 11;
    public const ulong HostTcp6 = 1ul << 12;
    public const ulong HostEcn = 1ul << 13;
    public const ulong HostUdp = 1ul << 14;
    public const ulong MergeableBuffers = 1ul << 15;
    public const ulong Status = 1ul << 16;
    public const ulong ControlQueue = 1ul << 17;
    public const ulong SeveralQueues = 1ul << 22;
}

/// <summary>Registers of the configuration (§5.1.4, struct virtio_net_config).</summary>
internal static class NetworkRegister
{
    public const int Mac = 0;
    public const int Status = 6;
    public const int MaximumPairs = 8;
    public const int Mtu = 10;
    public const int Bytes = 12;
}

/// <summary>The control queue (§5.1.6.5): class and command, then data; the device answers with one byte.</summary>
internal static class NetworkControl
{
    public const int CommandBytes = 2;

    /// <summary>VIRTIO_NET_CTRL_MQ and its VQ_PAIRS_SET (§5.1.6.5.6): sets how many pairs of queues are used, 16 bits.</summary>
    public const byte SeveralQueues = 4;
    public const byte SetPairs = 0;

    public const byte Ok = 0;
    public const byte Error = 1;
}
