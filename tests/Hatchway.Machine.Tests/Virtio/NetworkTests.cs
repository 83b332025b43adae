using System.Buffers.Binary;
using Hatchway.Machine.Virtio.Devices;
using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>The network card (VIRTIO 1.2 §5.1), used by a driver.</summary>
public sealed class NetworkTests : IDisposable
{
    private const ulong Data = 0x2_0000;
    private const int Header = 12;
    private const ulong GuestChecksum = 1 << 1;
    private const ulong GuestTcp4 = 1 << 7;
    private const ulong GuestEcn = 1 << 9;
    private const ulong Merge = 1 << 15;
    private const ulong ControlQueue = 1 << 17;
    private const ulong SeveralQueues = 1 << 22;

    private readonly Driver _driver;
    private FakeNetwork _network = null!;
    private VirtioNetwork _card = null!;

    public NetworkTests() => _driver = Make(1);

    public void Dispose() => _driver.Dispose();

    [Fact]
    public void It_has_the_address_and_the_mtu_that_it_was_given_and_its_link_is_up()
    {
        var at = _driver.At(4);
        Assert.Equal(0x0300_0002ul, _driver.Window.Read(at, AccessWidth.Dword));
        Assert.Equal(0x0102ul, _driver.Window.Read(at + 4, AccessWidth.Word));
        Assert.Equal(1ul, _driver.Window.Read(at + 6, AccessWidth.Word));
        Assert.Equal(1ul, _driver.Window.Read(at + 8, AccessWidth.Word));
        Assert.Equal(1400ul, _driver.Window.Read(at + 10, AccessWidth.Word));
        const ulong all = (1 << 0) | GuestChecksum | (1 << 3) | (1 << 5) | GuestTcp4 | (1 << 8) | GuestEcn
            | (1 << 11) | (1 << 12) | (1 << 13) | Merge | (1 << 16);
        Assert.Equal(all, _driver.DeviceFeatures & 0xFFF_FFFF);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void A_packet_comes_in_one_buffer_that_has_room(bool packed, bool merges)
    {
        _driver.Start(new DriverOptions(packed), merges ? Merge : 0);
        var packet = Come(1000);
        Offer(0, 2000);

        _driver.Notify();

        Assert.Equal([1000], Take());
        AssertReceived(packet, 1, (Data, 1000));
        Assert.Equal(1, _driver.Host.Signals(1));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_large_packet_fills_as_many_buffers_as_it_needs_and_the_next_has_the_rest(bool packed)
    {
        _driver.Start(new DriverOptions(packed), Merge | GuestChecksum | GuestTcp4);
        for (var i = 0; i < 6; i++)
            Offer(i, 1000);
        var large = Come(3500);
        _driver.Notify();
        Assert.Equal([1000, 1000, 1000, 500], Take());
        AssertReceived(large, 4, (At(0), 1000), (At(1), 1000), (At(2), 1000), (At(3), 500));

        var small = Come(60);
        _driver.Host.Ring(0);
        _driver.Serve();
        Assert.Equal([60], Take());
        AssertReceived(small, 1, (At(4), 60));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_rest_of_a_packet_waits_for_buffers(bool packed)
    {
        _driver.Start(new DriverOptions(packed), Merge);
        var packet = Come(2500);
        var next = Come(100);
        Offer(0, 1000);
        _driver.Notify();
        Assert.Empty(Take());

        Offer(1, 700);
        Assert.True(_driver.Ring.MustNotify(true));
        _driver.Notify();
        Assert.Empty(Take());

        Offer(2, 1000);
        Offer(3, 1000);
        _driver.Notify();
        Assert.Equal([1000, 700, 800, 100], Take());
        AssertReceived(packet, 3, (At(0), 1000), (At(1), 700), (At(2), 800));
        AssertReceived(next, 1, (At(3), 100));
    }

    [Fact]
    public void Of_a_packet_that_waits_nothing_is_left_after_a_reset()
    {
        _driver.Start(new DriverOptions(), Merge);
        Come(2500);
        Offer(0, 1000);
        _driver.Notify();

        _driver.Start(new DriverOptions(), Merge);
        var next = Come(100);
        Offer(0, 1000);
        _driver.Notify();
        Assert.Equal([100], Take());
        AssertReceived(next, 1, (At(0), 100));
    }

    [Fact]
    public void Without_mergeable_buffers_a_packet_that_is_too_large_is_dropped_and_the_next_comes()
    {
        _driver.Start(new DriverOptions());
        Come(1001);
        var next = Come(1000);
        Offer(0, 1000);
        Offer(1, 1000);

        _driver.Notify();

        Assert.Equal([1000], Take());
        AssertReceived(next, 1, (At(0), 1000));
        Assert.Contains(("receivedDropped", 1L), _card.Counters);
        Assert.Contains(("receivedPackets", 1L), _card.Counters);
    }

    [Fact]
    public void Without_a_buffer_a_packet_stays_where_it_is()
    {
        _driver.Start(new DriverOptions(), Merge);
        Come(100);
        _driver.Notify();
        Assert.Single(_network.Incoming);

        Offer(0, 1000);
        _driver.Notify();
        Assert.Equal([100], Take());
    }

    [Fact]
    public void Buffers_are_kept_while_the_driver_has_bus_mastering_off()
    {
        _driver.Start(new DriverOptions(), Merge);
        Offer(0, 1000);
        Offer(1, 1000);
        _driver.Notify();
        _driver.SetConfig(Hatchway.Pci.Spec.Header.Command, AccessWidth.Word, (uint)CommandBits.Memory);
        Come(1500);
        _driver.Notify();
        Assert.Empty(Take());

        _driver.SetConfig(Hatchway.Pci.Spec.Header.Command, AccessWidth.Word, (uint)(CommandBits.Memory | CommandBits.BusMaster));
        _driver.Serve();
        Assert.Equal([1000, 500], Take());
    }

    [Fact]
    public void A_buffer_without_room_for_the_header_needs_a_reset()
    {
        _driver.Start(new DriverOptions(), Merge);
        Come(100);
        _driver.Ring.Offer(false, new Piece(Data, 11, true));

        _driver.Notify();

        Assert.True(_driver.Virtio.NeedsReset);
        Assert.Single(_network.Incoming);
    }

    [Fact]
    public void A_packet_is_sent_as_it_lies_in_memory_and_one_without_content_is_dropped()
    {
        _driver.Start(new DriverOptions(Queue: 1));
        var packet = new byte[200];
        Random.Shared.NextBytes(packet);
        packet.CopyTo(_driver.Memory.Slice(Data, packet.Length));

        _driver.Ring.Offer(
            true, new Piece(Data, Header, false), new Piece(Data + Header, 100, false), new Piece(Data + Header + 100, 88, false));
        _driver.Ring.Offer(false, new Piece(Data, Header, false));
        _driver.Notify();

        Assert.Equal([0, 0], Take());
        Assert.Equal(packet, Assert.Single(_network.Sent));
        Assert.Equal([("sentPackets", 1), ("sentBytes", 200), ("sentDropped", 1)], _card.Counters.Skip(3));
    }

    [Fact]
    public void What_the_driver_takes_unfinished_is_told_to_the_network_and_needs_its_checksums()
    {
        _driver.Start(new DriverOptions(), GuestChecksum | GuestTcp4 | GuestEcn);
        Assert.Equal(NetworkOffloads.Checksum | NetworkOffloads.Tcp4 | NetworkOffloads.TcpEcn, _network.DriverOffloads);

        _driver.Start(new DriverOptions(), GuestTcp4);
        Assert.Equal(NetworkOffloads.None, _network.DriverOffloads);

        _driver.Start(new DriverOptions(), GuestChecksum | GuestEcn);
        Assert.Equal(NetworkOffloads.Checksum, _network.DriverOffloads);
    }

    [Theory]
    [InlineData(ControlQueue | SeveralQueues, 6, 4, 0, 3, 0, 3)]
    [InlineData(ControlQueue, 2, 4, 0, 3, 0, 3)]
    [InlineData(ControlQueue | SeveralQueues, 6, 4, 0, 0, 1, 1)]
    [InlineData(ControlQueue | SeveralQueues, 6, 4, 0, 4, 1, 1)]
    [InlineData(ControlQueue | SeveralQueues, 6, 4, 1, 2, 1, 1)]
    [InlineData(ControlQueue | SeveralQueues, 6, 0, 0, 2, 1, 1)]
    public void The_control_queue_sets_how_many_pairs_are_in_use(
        ulong features, int queue, byte type, byte command, ushort pairs, byte answer, int inUse)
    {
        using var driver = Make(3);
        driver.Start(new DriverOptions(Queue: (ushort)queue), features);
        BinaryPrimitives.WriteUInt16LittleEndian(driver.Memory.Slice(Data + 2, 2), pairs);
        (driver.Memory.Slice(Data, 1)[0], driver.Memory.Slice(Data + 1, 1)[0], driver.Memory.Slice(Data + 8, 1)[0]) = (type, command, 0x77);

        driver.Ring.Offer(false, new Piece(Data, 2, false), new Piece(Data + 2, 2, false), new Piece(Data + 8, 1, true));
        driver.Notify();

        Assert.True(driver.Ring.TryTake(out _, out var written));
        Assert.Equal((1u, answer, inUse), (written, driver.Memory.UInt8(Data + 8), _network.PairsInUse));
    }

    [Fact]
    public void A_control_queue_that_was_not_negotiated_does_nothing()
    {
        using var driver = Make(2);
        driver.Start(new DriverOptions(Queue: 4));
        driver.Ring.Offer(false, new Piece(Data, 64, false), new Piece(Data + 64, 64, true));

        driver.Notify();

        Assert.True(driver.Ring.TryTake(out _, out _));
        Assert.Empty(_network.Sent);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Receiving_and_sending_allocate_nothing(bool packed)
    {
        _driver.Start(new DriverOptions(packed), Merge);
        var packet = new byte[1500];
        Allocations.AssertNone(_ =>
        {
            _driver.Ring.Offer(false, new Piece(Data, 1000, true));
            _driver.Ring.Offer(false, new Piece(Data + 1000, 1000, true));
            _network.Incoming.Enqueue(packet);
            _driver.Notify();
            while (_driver.Ring.TryTake(out var _, out var _))
            {
            }
        }, 10_000);
        _network.Forgets = true;
        _driver.Start(new DriverOptions(packed, Queue: 1), Merge);
        Allocations.AssertNone(_ =>
        {
            _driver.Ring.Offer(false, new Piece(Data, Header, false), new Piece(Data + Header, 1400, false));
            _driver.Notify();
            _driver.Ring.TryTake(out var _, out var _);
        }, 10_000);
    }

    private static ulong At(int buffer) => Data + (0x1000ul * (uint)buffer);

    private Driver Make(int pairs) => new(memory =>
    {
        _network = new FakeNetwork(memory, pairs);
        return _card = new VirtioNetwork(memory, _network, [0x02, 0x00, 0x00, 0x03, 0x02, 0x01], 1400);
    });

    // A packet of a length arrives, with its header.
    private byte[] Come(int length)
    {
        var packet = new byte[length];
        Random.Shared.NextBytes(packet);
        _network.Incoming.Enqueue(packet);
        return packet;
    }

    private void Offer(int buffer, uint length) => _driver.Ring.Offer(false, new Piece(At(buffer), length, true));

    private int[] Take()
    {
        var lengths = new List<int>();
        while (_driver.Ring.TryTake(out _, out var written))
            lengths.Add((int)written);
        return [.. lengths];
    }

    private void AssertReceived(byte[] packet, int buffers, params (ulong Address, int Length)[] parts)
    {
        var received = parts.SelectMany(part => _driver.Memory.Slice(part.Address, part.Length).ToArray()).ToArray();
        BinaryPrimitives.WriteUInt16LittleEndian(packet.AsSpan(10), (ushort)buffers);
        Assert.Equal(packet, received);
    }
}
