using System.Buffers.Binary;
using Hatchway.Machine.Virtio.Spec;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Virtio.Devices;

/// <summary>A network card (VIRTIO 1.2 §5.1). Packets move directly between its backend and the guest's memory.</summary>
/// <remarks>
/// Queues 2N and 2N+1 receive and send for pair N, each on a thread of its own. A control queue exists only with several pairs, and sets
/// how many are used. It follows the last pair's queues, and the first queue's thread serves it; for a driver that does not negotiate
/// several pairs it is queue 2, with that queue's thread.
/// </remarks>
public sealed class VirtioNetwork : IVirtioDevice
{
    /// <summary>The number of descriptors of each queue.</summary>
    public const ushort QueueSize = 256;

    /// <summary>The largest number of queue pairs.</summary>
    public const int MostPairs = 8;

    private const ushort ControlQueueSize = 64;
    private const uint Ethernet = 0x02_00_00;

    private static readonly (NetworkOffloads Offload, ulong FromGuest, ulong ToGuest)[] OffloadTable =
    [
        (NetworkOffloads.Checksum, NetworkFeature.Checksum, NetworkFeature.GuestChecksum),
        (NetworkOffloads.Tcp4, NetworkFeature.HostTcp4, NetworkFeature.GuestTcp4),
        (NetworkOffloads.Tcp6, NetworkFeature.HostTcp6, NetworkFeature.GuestTcp6),
        (NetworkOffloads.TcpEcn, NetworkFeature.HostEcn, NetworkFeature.GuestEcn),
        (NetworkOffloads.Udp, NetworkFeature.HostUdp, NetworkFeature.GuestUdp),
    ];

    private readonly QueueMemory _memory;
    private readonly INetworkBackend _backend;
    private readonly byte[] _configuration = new byte[NetworkRegister.Bytes];
    private readonly NetworkReceiver[] _receivers;
    private readonly Sent[] _sent;
    private readonly int _mtu;
    private int _controlQueue = -1;

    /// <summary>Makes a card.</summary>
    /// <param name="memory">The guest's RAM.</param>
    /// <param name="backend">The network that it is connected to.</param>
    /// <param name="mac">Its MAC address, 6 bytes.</param>
    /// <param name="mtu">The MTU that the guest is told; null to leave it out.</param>
    public VirtioNetwork(QueueMemory memory, INetworkBackend backend, ReadOnlySpan<byte> mac, int? mtu)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(backend.Pairs, MostPairs);
        _memory = memory;
        _backend = backend;
        _mtu = mtu ?? 1500;
        _sent = new Sent[backend.Pairs];
        _receivers = new NetworkReceiver[backend.Pairs];
        for (var i = 0; i < _receivers.Length; i++)
            _receivers[i] = new NetworkReceiver(memory, backend, i);
        var sizes = new ushort[backend.Pairs > 1 ? (2 * backend.Pairs) + 1 : 2];
        sizes.AsSpan().Fill(QueueSize);
        if (backend.Pairs > 1)
            sizes[^1] = ControlQueueSize;
        QueueSizes = sizes;
        Features = NetworkFeature.Mac | NetworkFeature.Status | NetworkFeature.MergeableBuffers
            | (mtu is null ? 0 : NetworkFeature.Mtu)
            | (backend.Pairs > 1 ? NetworkFeature.ControlQueue | NetworkFeature.SeveralQueues : 0);
        foreach (var (offload, fromGuest, toGuest) in OffloadTable)
            Features |= (backend.Offloads & offload) != 0 ? fromGuest | toGuest : 0;
        mac.CopyTo(_configuration.AsSpan(NetworkRegister.Mac));
        Set16(NetworkRegister.Status, Network.LinkUp);
        Set16(NetworkRegister.MaximumPairs, backend.Pairs);
        Set16(NetworkRegister.Mtu, _mtu);
    }

    /// <inheritdoc/>
    public ushort DeviceType => Network.DeviceType;

    /// <inheritdoc/>
    public uint ClassCode => Ethernet;

    /// <inheritdoc/>
    public ulong Features { get; }

    /// <inheritdoc/>
    public IReadOnlyList<ushort> QueueSizes { get; }

    /// <inheritdoc/>
    public int ConfigurationBytes => NetworkRegister.Bytes;

    /// <inheritdoc/>
    public int Workers => 2 * _receivers.Length;

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, long Value)> Counters
    {
        get
        {
            var received = _receivers.Select(static receiver => receiver.Counted).ToArray();
            return
            [
                ("receivedPackets", received.Sum(static counted => counted.Packets)),
                ("receivedBytes", received.Sum(static counted => counted.Bytes)),
                ("receivedDropped", received.Sum(static counted => counted.Dropped)),
                ("sentPackets", _sent.Sum(static sent => Volatile.Read(ref sent.Packets))),
                ("sentBytes", _sent.Sum(static sent => Volatile.Read(ref sent.Bytes))),
                ("sentDropped", _sent.Sum(static sent => Volatile.Read(ref sent.Dropped))),
            ];
        }
    }

    /// <inheritdoc/>
    public int? WorkerOf(int queue) => queue % Workers;

    /// <inheritdoc/>
    public IBufferKeeper? KeeperOf(int queue) =>
        queue == _controlQueue || queue % 2 != 0 || queue / 2 >= _receivers.Length ? null : _receivers[queue / 2];

    /// <inheritdoc/>
    public ulong ReadConfiguration(int offset, AccessWidth width) => width.Load(_configuration.AsSpan(offset));

    /// <inheritdoc/>
    public void Start(ulong features)
    {
        var offloads = NetworkOffloads.None;
        // All other offloads to the guest require checksums, and congestion notification requires TCP (§5.1.3.1).
        if ((features & NetworkFeature.GuestChecksum) != 0)
        {
            foreach (var (offload, _, toGuest) in OffloadTable)
                offloads |= (features & toGuest) != 0 ? offload : 0;
        }
        if ((offloads & (NetworkOffloads.Tcp4 | NetworkOffloads.Tcp6)) == 0)
            offloads &= ~NetworkOffloads.TcpEcn;
        // The control queue's index depends on whether the driver negotiates several pairs (§5.1.2).
        _controlQueue = (features & NetworkFeature.ControlQueue) == 0 ? -1
            : (features & NetworkFeature.SeveralQueues) != 0 ? 2 * _receivers.Length : 2;
        var merges = (features & NetworkFeature.MergeableBuffers) != 0;
        const NetworkOffloads large = NetworkOffloads.Tcp4 | NetworkOffloads.Tcp6 | NetworkOffloads.Udp;
        var largest = (offloads & large) != 0 ? Network.LargestPacket : _mtu + Network.EthernetBytes + Network.HeaderBytes;
        foreach (var receiver in _receivers)
            receiver.Restart(merges, largest);
        _backend.Restart(offloads);
    }

    /// <inheritdoc/>
    public uint Handle(int queue, int worker, DescriptorChain buffer)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (queue == _controlQueue)
            return Control(buffer);
        // A control queue that was not negotiated is ignored.
        if (queue / 2 >= _sent.Length)
            return 0;
        ref var sent = ref _sent[queue / 2];
        if (buffer.ReadableBytes <= Network.HeaderBytes || !_backend.TrySend(queue / 2, buffer.Readable))
        {
            Volatile.Write(ref sent.Dropped, sent.Dropped + 1);
            return 0;
        }
        Volatile.Write(ref sent.Packets, sent.Packets + 1);
        Volatile.Write(ref sent.Bytes, sent.Bytes + (long)buffer.ReadableBytes);
        return 0;
    }

    private uint Control(DescriptorChain buffer)
    {
        if (buffer.WritableBytes == 0)
            return 0;
        Span<byte> request = stackalloc byte[NetworkControl.CommandBytes + sizeof(ushort)];
        var done = buffer.Read(_memory, 0, request) == request.Length
            && request[0] == NetworkControl.SeveralQueues && request[1] == NetworkControl.SetPairs
            && BinaryPrimitives.ReadUInt16LittleEndian(request[NetworkControl.CommandBytes..]) is var pairs
            && pairs >= 1 && pairs <= _receivers.Length
            && _backend.TryUse(pairs);
        request[0] = done ? NetworkControl.Ok : NetworkControl.Error;
        return (uint)buffer.Write(_memory, 0, request[..1]);
    }

    private void Set16(int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(_configuration.AsSpan(at), (ushort)value);

    private struct Sent
    {
        public long Packets;
        public long Bytes;
        public long Dropped;
    }
}
