using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using Hatchway.Machine.Devices;
using Hatchway.Terminal;

namespace Hatchway.Tests.Terminal;

/// <summary>A port's far end on a socket file.</summary>
public sealed class SocketConsoleTests : IDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-test-");
    private readonly BlockingCollection<bool> _connected = [];
    private readonly SemaphoreSlim _drained = new(0);

    public void Dispose()
    {
        _connected.Dispose();
        _drained.Dispose();
        _folder.Delete(recursive: true);
    }

    private string File => Path.Combine(_folder.FullName, "port.sock");

    [Fact]
    public void A_client_reads_what_the_guest_writes_and_the_other_way_round_and_one_after_another()
    {
        using var port = new Port();
        using (var console = SocketConsole.AtFile(File, "-s", _connected.Add, Drain))
        {
            console.Start(port);
            for (var turn = 0; turn < 2; turn++)
            {
                using var client = Connect();
                Assert.True(Next());
                console.Write("to the client"u8);
                Assert.Equal("to the client", Receive(client, 13));
                client.Send("to the guest"u8);
                Assert.Equal("to the guest", port.Take(12));
                client.Dispose();
                Assert.False(Next());
                console.Write("to nobody"u8);
            }
        }
        Assert.False(Path.Exists(File));
    }

    [Fact]
    public void A_client_that_does_not_read_loses_nothing_of_what_a_console_device_sends_nor_do_both_wait_for_each_other()
    {
        using var port = new Port();
        using var console = SocketConsole.AtFile(File, "-s", _connected.Add, Drain);
        console.Start(port);
        using var client = Connect();
        Assert.True(Next());
        var much = new byte[4 << 20];
        Random.Shared.NextBytes(much);

        var sent = console.Take(much);
        Assert.InRange(sent, 1, much.Length - 1);
        // The guest accepts nothing meanwhile.
        port.IsFull = true;
        client.Send("to the guest"u8);

        var reader = new Thread(SendTheRest);
        reader.Start();
        var got = new byte[much.Length];
        for (var done = 0; done < got.Length;)
            done += client.Receive(got.AsSpan(done)) is > 0 and var more ? more : throw new EndOfStreamException();
        reader.Join();
        Assert.Equal(much, got);

        port.IsFull = false;
        console.SignalRoom();
        Assert.Equal("to the guest", port.Take(12));

        void SendTheRest()
        {
            while (sent < much.Length)
            {
                Assert.True(_drained.Wait(Bound));
                sent += console.Take(much.AsSpan(sent));
            }
        }
    }

    [Fact]
    public void A_client_that_left_what_the_guest_does_not_take_makes_room_for_the_next()
    {
        using var port = new Port { IsFull = true };
        using var console = SocketConsole.AtFile(File, "-s", _connected.Add, Drain);
        console.Start(port);
        using (var first = Connect())
        {
            Assert.True(Next());
            first.Send(new byte[10_000]);
        }

        using var second = Connect();

        Assert.False(Next());
        Assert.True(Next());
        console.Write("to the second"u8);
        Assert.Equal("to the second", Receive(second, 13));
        port.IsFull = false;
        second.Send("to the guest"u8);
        Assert.Equal("to the guest", port.Take(12));
    }

    [Fact]
    public void A_second_client_is_sent_away()
    {
        using var port = new Port();
        using var console = SocketConsole.AtFile(File, "-s", _connected.Add, Drain);
        console.Start(port);
        using var first = Connect();
        Assert.True(Next());

        using var second = Connect();

        Assert.Equal(0, second.Receive(new byte[1]));
    }

    [Fact]
    public void A_socket_that_is_left_over_is_replaced_and_one_in_use_or_another_file_is_not()
    {
        using (var left = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            left.Bind(new UnixDomainSocketEndPoint(File));
            // As a killed process leaves it: the file stays.
            System.IO.File.Move(File, File + "2");
        }
        System.IO.File.Move(File + "2", File);
        using (SocketConsole.AtFile(File, "-s", _connected.Add, Drain))
            Refuse();

        System.IO.File.WriteAllText(File, "");
        Refuse();
        Assert.True(System.IO.File.Exists(File));
    }

    private void Refuse() => Assert.Contains(
        "is there already",
        Assert.Throws<UserException>(() => SocketConsole.AtFile(File, "-s", _connected.Add, Drain)).Message,
        StringComparison.Ordinal);

    private void Drain() => _drained.Release();

    private bool Next() => _connected.TryTake(out var connected, Bound) ? connected : throw new TimeoutException();

    private Socket Connect()
    {
        var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
        {
            ReceiveTimeout = (int)Bound.TotalMilliseconds,
        };
        client.Connect(new UnixDomainSocketEndPoint(File));
        return client;
    }

    private static string Receive(Socket client, int count)
    {
        var bytes = new byte[count];
        for (var done = 0; done < count;)
            done += client.Receive(bytes.AsSpan(done)) is > 0 and var more ? more : throw new EndOfStreamException();
        return Encoding.UTF8.GetString(bytes);
    }

    private sealed class Port : ICharacterInput, IDisposable
    {
        private readonly BlockingCollection<byte> _bytes = [];

        public volatile bool IsFull;

        public int Receive(ReadOnlySpan<byte> bytes)
        {
            if (IsFull)
                return 0;
            foreach (var value in bytes)
                _bytes.Add(value);
            return bytes.Length;
        }

        public string Take(int count)
        {
            var bytes = new byte[count];
            for (var i = 0; i < count; i++)
                Assert.True(_bytes.TryTake(out bytes[i], Bound));
            return Encoding.UTF8.GetString(bytes);
        }

        public void Dispose() => _bytes.Dispose();
    }
}
