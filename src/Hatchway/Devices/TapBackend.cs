using System.Runtime.InteropServices;
using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Machine.Virtio;
using Hatchway.Machine.Virtio.Devices;
using Hatchway.Vm;
using Microsoft.Extensions.Logging;

namespace Hatchway.Devices;

/// <summary>A tap interface of the host as a network card's backend. Packets move directly between the kernel and the guest's
/// RAM.</summary>
internal sealed class TapBackend : INetworkBackend, IDisposable
{
    // Enough for the largest packet when the guest offers no room: 64 KiB and headers.
    private const int OverflowBytes = 68 << 10;

    // More than an interface queues (its txqueuelen is 1000 by default), but bounded, so that packets that keep arriving do not hold a
    // driver's start up for ever.
    private const int MostStale = 4096;

    private const TapOffloads Every = TapOffloads.Checksum | TapOffloads.Tcp4 | TapOffloads.Tcp6 | TapOffloads.TcpEcn | TapOffloads.Udp;

    private readonly GuestRam _ram;
    private readonly Pair[] _pairs;

    // The first so many; a queue is in use from when it is opened.
    private int _inUse;

    private TapBackend(IReadOnlyList<TapFile> queues, GuestRam ram)
    {
        _ram = ram;
        _pairs = [.. queues.Select(static queue => new Pair(queue))];
        _inUse = _pairs.Length;
        // UDP fragmentation offload exists in some kernels only.
        TapOffloads[] tries = [Every, Every & ~TapOffloads.Udp, TapOffloads.Checksum];
        Offloads = (NetworkOffloads)tries.FirstOrDefault(queues[0].TrySetOffloads);
    }

    public int Pairs => _pairs.Length;

    public NetworkOffloads Offloads { get; }

    /// <summary>The tap's queues, each with the receive queue of the card that it feeds.</summary>
    public IReadOnlyList<(int Queue, FileDescriptor File)> Inputs =>
        [.. _pairs.Select(static (pair, i) => (2 * i, (FileDescriptor)pair.Tap))];

    /// <summary>Opens the interface that the user named. A missing one is made and brought up, and goes with the guest.</summary>
    /// <param name="origin">What the user typed, for messages.</param>
    /// <param name="options">What the user asked for.</param>
    /// <param name="ram">The guest's RAM.</param>
    /// <param name="log">Receives limitations.</param>
    /// <exception cref="UserException">It can't be opened with these options.</exception>
    public static TapBackend Open(string origin, VirtioNetOptions options, GuestRam ram, ILogger log)
    {
        var (name, existed) = (options.Tap, NetworkInterface.Exists(options.Tap));
        var queues = new List<TapFile>();
        try
        {
            while (queues.Count < options.Queues)
                queues.Add(OpenQueue(name, options.Queues));
            if (!existed)
                SetUp(name, options.Mtu);
            else
                Check(origin, options, log);
            return new TapBackend(queues, ram);
        }
        catch (LinuxException failure)
        {
            Close(queues);
            throw new UserException($"{origin}: {Explain(failure, options, existed)}");
        }
        catch (UserException)
        {
            Close(queues);
            throw;
        }
    }

    public void Restart(NetworkOffloads offloads)
    {
        var tap = _pairs[0].Tap;
        // Above all, nothing may arrive that the driver would not understand.
        if (!tap.TrySetOffloads((TapOffloads)offloads))
            tap.TrySetOffloads(TapOffloads.None);
        UseNoMoreThan(1);
        foreach (var pair in _pairs)
        {
            for (var i = 0; i < MostStale && TryReceive(pair, []) > 0; i++)
            {
            }
        }
    }

    public bool TryUse(int pairs)
    {
        var before = _inUse;
        for (; _inUse < pairs; _inUse++)
        {
            if (_pairs[_inUse].Tap.TrySetActive(true))
                continue;
            UseNoMoreThan(before);
            return false;
        }
        UseNoMoreThan(pairs);
        return true;
    }

    public int TryReceive(int pair, ReadOnlySpan<GuestRange> room) => TryReceive(_pairs[pair], room);

    public ReadOnlySpan<byte> Overflow(int pair) => _pairs[pair].Overflow;

    public bool TrySend(int pair, ReadOnlySpan<GuestRange> packet)
    {
        var (tap, parts) = (_pairs[pair].Tap, _pairs[pair].Sent);
        Locate(packet, parts);
        return tap.TryWrite(parts.AsSpan(0, packet.Length));
    }

    public void Dispose()
    {
        foreach (var pair in _pairs)
            pair.Tap.Dispose();
    }

    // The kernel refuses only for a queue that it does not use already (drivers/net/tun.c, tun_set_queue).
    private void UseNoMoreThan(int pairs)
    {
        while (_inUse > pairs)
            _pairs[--_inUse].Tap.TrySetActive(false);
    }

    private static TapFile OpenQueue(string name, int queues)
    {
        try
        {
            return TapFile.Open(name, several: queues > 1);
        }
        catch (LinuxException failure) when (failure.Errno == Errno.EINVAL && queues == 1)
        {
            // A multi-queue interface can be opened only as such.
            return TapFile.Open(name, several: true);
        }
    }

    private static void SetUp(string name, int? mtu)
    {
        if (mtu is { } bytes)
            NetworkInterface.SetMtu(name, bytes);
        NetworkInterface.BringUp(name);
    }

    // An interface that was there is its owner's to change.
    private static void Check(string origin, VirtioNetOptions options, ILogger log)
    {
        var name = options.Tap;
        // Once the guest is told of an MTU, no larger packet may come (VIRTIO 1.2 §5.1.4.1).
        if (options.Mtu is { } promised && NetworkInterface.Mtu(name) is var mtu && mtu > promised)
        {
            throw new UserException(
                $"{origin}: {name} lets packets of {mtu} bytes pass, and the guest would be told of {promised}: "
                + $"'ip link set {name} mtu {promised}', or leave ',mtu={promised}' away");
        }
        if (!NetworkInterface.IsUp(name))
            log.Configuration($"{origin}: {name} is down, and no packet passes: 'ip link set {name} up'");
    }

    private static void Close(List<TapFile> queues)
    {
        foreach (var queue in queues)
            queue.Dispose();
    }

    private static string Explain(LinuxException failure, VirtioNetOptions options, bool existed)
    {
        var name = options.Tap;
        var make = $"ip tuntap add {name} mode tap user {Environment.UserName}{(options.Queues > 1 ? " multi_queue" : "")}";
        return failure.Errno switch
        {
            Errno.ENOENT or Errno.ENODEV or Errno.ENXIO => "this host has no /dev/net/tun: 'modprobe tun'",
            Errno.EACCES => "/dev/net/tun can't be opened: give yourself the right to ('chmod 666 /dev/net/tun' is Debian's own)",
            Errno.EPERM when existed => $"{name} is not this user's: '{make}' as root makes one that is",
            Errno.EPERM => $"there is no {name}, and to make one takes CAP_NET_ADMIN: '{make}' and 'ip link set {name} up' as root, once",
            Errno.EBUSY => $"{name} is in use: give each card of each guest a tap of its own",
            Errno.EINVAL when existed && !NetworkInterface.IsTunnel(name) =>
                $"{name} is no tap: 'ip tuntap' lists those that there are, and one that is not there is made",
            Errno.EINVAL when existed && options.Queues > 1 =>
                $"{name} has one queue: leave ',queues={options.Queues}' away, or make it anew by '{make}'",
            Errno.EINVAL when existed => $"{name} can't be opened as a tap: is it a tun? 'ip tuntap' tells",
            _ => failure.Message,
        };
    }

    private int TryReceive(Pair pair, ReadOnlySpan<GuestRange> room)
    {
        Locate(room, pair.Received);
        pair.Received[room.Length] = pair.OverflowRange;
        return pair.Tap.Read(pair.Received.AsSpan(0, room.Length + 1));
    }

    private void Locate(ReadOnlySpan<GuestRange> ranges, HostRange[] parts)
    {
        for (var i = 0; i < ranges.Length; i++)
            parts[i] = _ram.Locate(ranges[i].Address, ranges[i].Length);
    }

    private sealed class Pair
    {
        private readonly byte[] _overflow = GC.AllocateUninitializedArray<byte>(OverflowBytes, pinned: true);

        public Pair(TapFile tap)
        {
            Tap = tap;
            OverflowRange = new HostRange(Marshal.UnsafeAddrOfPinnedArrayElement(_overflow, 0), OverflowBytes);
        }

        public TapFile Tap { get; }

        public HostRange[] Received { get; } = new HostRange[DescriptorChain.MaximumSegments + 1];

        public HostRange[] Sent { get; } = new HostRange[DescriptorChain.MaximumSegments];

        public HostRange OverflowRange { get; }

        public ReadOnlySpan<byte> Overflow => _overflow;
    }
}
