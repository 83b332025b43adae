namespace Hatchway.Machine.Virtio.Devices;

/// <summary>What one side may hand over unfinished, for the other to finish (VIRTIO 1.2 §5.1.6.2, §5.1.6.4).</summary>
[Flags]
public enum NetworkOffloads
{
    /// <summary>Packets are whole.</summary>
    None = 0,

    /// <summary>Checksums may be missing.</summary>
    Checksum = 1,

    /// <summary>TCP over IPv4 may be in packets of up to 64 KiB.</summary>
    Tcp4 = 2,

    /// <summary>The same over IPv6.</summary>
    Tcp6 = 4,

    /// <summary>The same with congestion notification.</summary>
    TcpEcn = 8,

    /// <summary>UDP may be in packets that are still to be fragmented.</summary>
    Udp = 16,
}

/// <summary>What a network card is connected with. The program implements it.</summary>
/// <remarks>
/// Nothing throws, and <see cref="TryReceive"/> and <see cref="TrySend"/> wait for nothing and allocate nothing; of these each runs on one
/// thread at a time for each pair of queues. Packets have virtio's header of 12 bytes before them (§5.1.6).
/// </remarks>
public interface INetworkBackend
{
    /// <summary>Pairs of queues, at least 1.</summary>
    int Pairs { get; }

    /// <summary>What it can finish, and hand over unfinished.</summary>
    NetworkOffloads Offloads { get; }

    /// <summary>Begins anew for a driver: with one pair of queues, without the packets that came before. No packet is under way.</summary>
    /// <param name="offloads">What the driver takes unfinished.</param>
    void Restart(NetworkOffloads offloads);

    /// <summary>Spreads packets over so many pairs of queues.</summary>
    /// <param name="pairs">1 to <see cref="Pairs"/>.</param>
    bool TryUse(int pairs);

    /// <summary>Takes a packet that has come.</summary>
    /// <param name="pair">Which pair of queues.</param>
    /// <param name="room">Where to, of the guest's RAM.</param>
    /// <returns>All its bytes with the header; those without room are then in <see cref="Overflow"/>. 0 when there is none.</returns>
    int TryReceive(int pair, ReadOnlySpan<GuestRange> room);

    /// <summary>What there was no room for: it begins with the first such byte, and holds to the next <see cref="TryReceive"/>.</summary>
    ReadOnlySpan<byte> Overflow(int pair);

    /// <summary>Sends a packet.</summary>
    /// <returns>False when it could not be.</returns>
    bool TrySend(int pair, ReadOnlySpan<GuestRange> packet);
}
