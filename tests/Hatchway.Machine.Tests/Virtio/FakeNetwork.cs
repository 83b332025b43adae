using Hatchway.Machine.Virtio;
using Hatchway.Machine.Virtio.Devices;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>A network for which a test supplies packets, and which records those sent.</summary>
internal sealed class FakeNetwork(QueueMemory memory, int pairs) : INetworkBackend
{
    private byte[] _overflow = [];

    public int Pairs => pairs;

    public NetworkOffloads Offloads => NetworkOffloads.Checksum | NetworkOffloads.Tcp4 | NetworkOffloads.Tcp6 | NetworkOffloads.TcpEcn;

    /// <summary>Packets to be received, with virtio's header.</summary>
    public Queue<byte[]> Incoming { get; } = new(16);

    /// <summary>Packets that were sent.</summary>
    public List<byte[]> Sent { get; } = [];

    /// <summary>The offloads that the driver accepts; null before it starts.</summary>
    public NetworkOffloads? DriverOffloads { get; private set; }

    public int PairsInUse { get; private set; }

    /// <summary>Drops sent packets instead of recording them.</summary>
    public bool Forgets { get; set; }

    public void Restart(NetworkOffloads offloads) => (DriverOffloads, PairsInUse) = (offloads, 1);

    public bool TryUse(int pairs)
    {
        PairsInUse = pairs;
        return true;
    }

    public int TryReceive(int pair, ReadOnlySpan<GuestRange> room)
    {
        if (!Incoming.TryDequeue(out var packet))
            return 0;
        var rest = packet.AsSpan();
        foreach (var piece in room)
        {
            var length = Math.Min((int)piece.Length, rest.Length);
            rest[..length].CopyTo(memory.Slice(piece.Address, length));
            rest = rest[length..];
        }
        if (rest.Length > 0)
            _overflow = rest.ToArray();
        return packet.Length;
    }

    public ReadOnlySpan<byte> Overflow(int pair) => _overflow;

    public bool TrySend(int pair, ReadOnlySpan<GuestRange> packet)
    {
        if (Forgets)
            return true;
        var bytes = new List<byte>();
        foreach (var piece in packet)
            bytes.AddRange(memory.Slice(piece.Address, (int)piece.Length).ToArray());
        Sent.Add([.. bytes]);
        return true;
    }
}
