namespace Hatchway.Machine.Virtio.Devices;

/// <summary>Work on a packet that its sender may leave to the receiver (VIRTIO 1.2 §5.1.6.2, §5.1.6.4).</summary>
[Flags]
public enum NetworkOffloads
{
    /// <summary>Packets are complete.</summary>
    None = 0,

    /// <summary>Checksums may be missing.</summary>
    Checksum = 1,

    /// <summary>TCP over IPv4 may come in packets of up to 64 KiB.</summary>
    Tcp4 = 2,

    /// <summary>The same over IPv6.</summary>
    Tcp6 = 4,

    /// <summary>The same with congestion notification.</summary>
    TcpEcn = 8,

    /// <summary>UDP may come in packets that are still to be fragmented.</summary>
    Udp = 16,
}

/// <summary>The network that a card is connected to. The program implements it.</summary>
/// <remarks>
/// Nothing throws. <see cref="TryReceive"/> and <see cref="TrySend"/> neither wait nor allocate; for each pair of queues, each of the two
/// is called by one thread at a time. A packet is preceded by virtio's header of 12 bytes (§5.1.6).
/// </remarks>
public interface INetworkBackend
{
    /// <summary>The number of queue pairs, at least 1.</summary>
    int Pairs { get; }

    /// <summary>Work that it can do for the guest, and can leave to it.</summary>
    NetworkOffloads Offloads { get; }

    /// <summary>Starts over for a driver: uses one pair of queues and drops packets that came before. Called while no packet is
    /// moved.</summary>
    /// <param name="offloads">Work that the driver accepts.</param>
    void Restart(NetworkOffloads offloads);

    /// <summary>Spreads received packets over this many pairs of queues.</summary>
    /// <param name="pairs">1 to <see cref="Pairs"/>.</param>
    bool TryUse(int pairs);

    /// <summary>Receives a packet.</summary>
    /// <param name="pair">The pair of queues.</param>
    /// <param name="room">Guest RAM for the packet.</param>
    /// <returns>The packet's length with the header; bytes that did not fit are in <see cref="Overflow"/>. 0 when there is none.</returns>
    int TryReceive(int pair, ReadOnlySpan<GuestRange> room);

    /// <summary>The bytes of the last packet that did not fit, valid until the next <see cref="TryReceive"/>.</summary>
    ReadOnlySpan<byte> Overflow(int pair);

    /// <summary>Sends a packet.</summary>
    /// <returns>False when it could not be sent.</returns>
    bool TrySend(int pair, ReadOnlySpan<GuestRange> packet);
}
