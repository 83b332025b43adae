using System.Buffers.Binary;
using System.Text;
using Hatchway.Machine.Virtio.Devices;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>The console device (VIRTIO 1.2 §5.3), used by a driver: two ports, "agent" and "log".</summary>
public sealed class ConsoleTests : IDisposable
{
    private const ulong Data = 0x2_0000;
    private const ulong SeveralPorts = 1 << 1;
    private const int AgentFromGuest = 1;
    private const int ToGuest = 2;
    private const int FromGuest = 3;
    private const int LogToGuest = 4;
    private const int LogFromGuest = 5;

    private readonly Client _agentSink = new();
    private readonly Client _logSink = new();
    private readonly List<string> _drained = [];
    private readonly Driver _driver;
    private ConsolePort _agent = null!;
    private ConsolePort _log = null!;
    private int _offered;

    public ConsoleTests() => _driver = new Driver(memory =>
    {
        _agent = new ConsolePort("agent", _agentSink, () => _driver!.Host.Ring(0), Tell, () => _drained.Add("agent"));
        _log = new ConsolePort("log", _logSink, () => _driver!.Host.Ring(LogToGuest), Tell, () => _drained.Add("log"));
        return new VirtioConsole(memory, [_agent, _log], Tell);
    });

    public void Dispose() => _driver.Dispose();

    [Fact]
    public void It_has_two_ports() => Assert.Equal(2ul, _driver.Window.Read(_driver.At(4) + 4, AccessWidth.Dword));

    [Fact]
    public void A_driver_hears_of_each_port_and_its_name_and_whether_a_client_is_there()
    {
        Start();
        _log.SetConnected(true);
        Say(0, 0, 1);
        Assert.Equal(["0 add 1", "1 add 1"], Hear());

        Say(0, 3, 1);
        Say(1, 3, 1);
        Assert.Equal(["0 name 1 agent", "1 name 1 log", "1 open 1"], Hear().Order());

        _agent.SetConnected(true);
        _log.SetConnected(false);
        _driver.Serve();
        Assert.Equal(["0 open 1", "1 open 0"], Hear());
    }

    [Fact]
    public void A_client_that_is_followed_by_another_at_once_has_gone_for_the_guest_too()
    {
        Start();
        Say(0, 0, 1);
        Say(0, 3, 1);
        _agent.SetConnected(true);
        _driver.Serve();
        Assert.Equal("0 open 1", Hear()[^1]);

        _agent.SetConnected(false);
        _agent.SetConnected(true);
        _driver.Serve();
        Assert.Equal(["0 open 0", "0 open 1"], Hear());

        // The guest is not told of this client.
        _log.SetConnected(true);
        _log.SetConnected(false);
        Say(1, 3, 1);
        Assert.Equal(["1 name 1 log"], Hear());
    }

    [Fact]
    public void What_a_client_sends_waits_until_a_program_of_the_guests_has_the_port_open()
    {
        Start();
        OfferRoom(_driver.More[LogToGuest], 0x100);
        OfferRoom(_driver.More[LogToGuest], 0x100);
        _driver.Notify(LogToGuest);
        Assert.Equal(0, _log.Receive("hello"u8));
        _driver.Serve();
        Assert.Equal("", Read(_driver.More[LogToGuest]));
        Assert.Empty(_drained);

        Say(1, 6, 1);
        Assert.Equal(["log"], _drained);
        Assert.Equal(5, _log.Receive("hello"u8));
        _driver.Serve();
        Assert.Equal("hello", Read(_driver.More[LogToGuest]));

        Say(1, 6, 0);
        Assert.Equal(0, _log.Receive(" again"u8));
        _driver.Serve();
        Assert.Equal("", Read(_driver.More[LogToGuest]));
    }

    [Fact]
    public void What_a_client_sends_before_there_is_a_driver_is_not_lost()
    {
        Assert.Equal(0, _agent.Receive("hello"u8));

        Start();
        Say(0, 6, 1);
        Assert.Equal(["agent"], _drained);
        Assert.Equal(5, _agent.Receive("hello"u8));
        OfferRoom(_driver.Ring, 0x100);
        _driver.Notify();
        Assert.Equal("hello", Read(_driver.Ring));

        // The next driver knows one port, which is open from when it begins.
        _driver.Status = 0;
        Assert.Equal(0, _agent.Receive("again"u8));
        _driver.Start(new DriverOptions());
        Assert.Equal(["agent", "agent"], _drained);
    }

    [Fact]
    public void A_client_is_held_up_while_the_guest_does_not_read_and_told_when_it_does()
    {
        Start();
        Say(0, 6, 1);
        var much = new byte[10_000];
        Random.Shared.NextBytes(much);
        var taken = _agent.Receive(much);
        Assert.InRange(taken, 1, much.Length - 1);
        Assert.Equal(0, _agent.Receive(much.AsSpan(taken)));
        _driver.Serve();
        Assert.Empty(_drained);

        OfferRoom(_driver.Ring, 0x1000);
        _driver.Notify();
        Assert.Equal(["agent"], _drained);
        Assert.Equal(Encoding.Latin1.GetString(much, 0, taken), Read(_driver.Ring));
    }

    [Fact]
    public void What_the_guest_writes_is_at_the_ports_own_sink()
    {
        Start();
        Offer(_driver.More[LogFromGuest], "to the log"u8);
        _driver.Notify(LogFromGuest);

        Assert.Equal("to the log"u8.ToArray(), _logSink.Bytes);
        Assert.Empty(_agentSink.Bytes);
        Assert.True(_driver.More[LogFromGuest].TryTake(out _, out var written));
        Assert.Equal(0u, written);
    }

    [Fact]
    public void What_a_client_does_not_take_waits_and_nothing_of_it_is_lost()
    {
        Start();
        _logSink.Room = 7;
        Offer(_driver.More[LogFromGuest], "to the log"u8);
        Offer(_driver.More[LogFromGuest], ", all of it"u8);
        _driver.Notify(LogFromGuest);
        Assert.Equal("to the "u8.ToArray(), _logSink.Bytes);
        Assert.False(_driver.More[LogFromGuest].TryTake(out _, out _));
        // Another port does not wait for this one's client.
        Offer(_driver.More[AgentFromGuest], "to the agent"u8);
        _driver.Notify(AgentFromGuest);
        Assert.Equal("to the agent"u8.ToArray(), _agentSink.Bytes);

        _logSink.Room = 100;
        _driver.Host.Ring(LogFromGuest);
        _driver.Serve();
        Assert.Equal("to the log, all of it"u8.ToArray(), _logSink.Bytes);
        Assert.True(_driver.More[LogFromGuest].TryTake(out _, out _));
        Assert.True(_driver.More[LogFromGuest].TryTake(out _, out _));
    }

    [Fact]
    public void A_driver_that_begins_anew_has_no_rest_of_the_one_before()
    {
        Start();
        _logSink.Room = 7;
        Offer(_driver.More[LogFromGuest], "to the log"u8);
        _driver.Notify(LogFromGuest);

        Start();
        _logSink.Room = 100;
        Offer(_driver.More[LogFromGuest], "anew"u8);
        _driver.Notify(LogFromGuest);

        Assert.Equal("to the anew"u8.ToArray(), _logSink.Bytes);
    }

    [Fact]
    public void A_driver_that_knows_one_port_has_the_first_open_at_once()
    {
        _driver.Start(new DriverOptions());
        OfferRoom(_driver.Ring, 0x100);
        _driver.Notify();
        _agent.Receive("hello"u8);
        _driver.Serve();

        Assert.Equal("hello", Read(_driver.Ring));
    }

    [Fact]
    public void Messages_that_mean_nothing_change_nothing()
    {
        Start();
        Say(7, 3, 1);
        Say(0xFFFF_FFFF, 6, 1);
        Say(0, 99, 1);
        Say(0, 0, 0);
        Offer(_driver.More[FromGuest], [1, 2, 3]);
        _driver.Notify(FromGuest);

        Assert.Empty(Hear());
        Assert.False(_driver.Virtio.NeedsReset);
    }

    private void Tell() => _driver?.Host.Ring(ToGuest);

    private void Start()
    {
        _driver.Start(new DriverOptions(), SeveralPorts, AgentFromGuest, ToGuest, FromGuest, LogToGuest, LogFromGuest);
        for (var i = 0; i < 8; i++)
            OfferRoom(_driver.More[ToGuest], 0x80);
        _driver.Notify(ToGuest);
    }

    // Sends a control message of the driver's (§5.3.6.2).
    private void Say(uint port, ushort what, ushort value)
    {
        var message = new byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(message, port);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(4), what);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(6), value);
        Offer(_driver.More[FromGuest], message);
        _driver.Notify(FromGuest);
        Assert.True(_driver.More[FromGuest].TryTake(out _, out _));
    }

    private List<string> Hear()
    {
        var heard = new List<string>();
        var ring = _driver.More[ToGuest];
        while (ring.TryTake(out var id, out var written))
        {
            var message = Buffer(ring, id, written);
            var what = BinaryPrimitives.ReadUInt16LittleEndian(message.AsSpan(4)) switch { 1 => "add", 6 => "open", 7 => "name", _ => "?" };
            var name = Encoding.UTF8.GetString(message.AsSpan(8));
            var port = BinaryPrimitives.ReadUInt32LittleEndian(message);
            var value = BinaryPrimitives.ReadUInt16LittleEndian(message.AsSpan(6));
            heard.Add($"{port} {what} {value} {name}".TrimEnd());
        }
        return heard;
    }

    private string Read(DriverRing ring)
    {
        var text = "";
        while (ring.TryTake(out var id, out var written))
            text += Encoding.Latin1.GetString(Buffer(ring, id, written));
        return text;
    }

    // The content of a buffer, which has one descriptor, found by its id.
    private byte[] Buffer(DriverRing ring, ushort id, uint length)
    {
        var start = ReferenceEquals(ring, _driver.Ring)
            ? 0
            : 0x8_0000 + (0x8000ul * (uint)_driver.More.Values.ToList().FindIndex(other => ReferenceEquals(other, ring)));
        return _driver.Memory.Slice(_driver.Memory.UInt64(start + DriverRing.Descriptors + (16ul * id)), (int)length).ToArray();
    }

    private void OfferRoom(DriverRing ring, uint length) => ring.Offer(false, new Piece(Next(), length, true));

    private void Offer(DriverRing ring, ReadOnlySpan<byte> bytes)
    {
        var at = Next();
        bytes.CopyTo(_driver.Memory.Slice(at, bytes.Length));
        ring.Offer(false, new Piece(at, (uint)bytes.Length, false));
    }

    private sealed class Client : IPortClient
    {
        private readonly List<byte> _bytes = [];

        public byte[] Bytes => [.. _bytes];

        public int Room { get; set; } = int.MaxValue;

        public int Take(ReadOnlySpan<byte> bytes)
        {
            var taken = Math.Min(bytes.Length, Room);
            Room -= taken;
            _bytes.AddRange(bytes[..taken]);
            return taken;
        }
    }

    private ulong Next() => Data + (0x1000ul * (uint)(_offered++ % 0x40));
}
