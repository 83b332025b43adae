using System.Net.Sockets;

namespace Hatchway.Linux.Tests;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class UnixConnectionTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-connection-");
    private readonly UnixListener _listener;
    private readonly Socket _client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly UnixConnection _connection;

    public UnixConnectionTests()
    {
        var path = Path.Combine(_folder.FullName, "socket");
        _listener = UnixListener.Listen(path);
        _client.Connect(new UnixDomainSocketEndPoint(path));
        _connection = _listener.TryAccept()!;
    }

    public void Dispose()
    {
        _connection.Dispose();
        _client.Dispose();
        _listener.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void What_is_sent_arrives()
    {
        _connection.Send("hello"u8);

        var heard = new byte[8];
        Assert.Equal(5, _client.Receive(heard));
        Assert.Equal("hello"u8, heard.AsSpan(0, 5));
    }

    [Fact]
    public void Much_is_sent_as_the_client_reads_it()
    {
        var sent = new byte[4 << 20];
        Random.Shared.NextBytes(sent);
        var sending = new Thread(() => _connection.Send(sent));
        sending.Start();

        var heard = new byte[sent.Length];
        for (var length = 0; length < heard.Length;)
            length += _client.Receive(heard.AsSpan(length));

        Assert.Equal(sent, heard);
        Assert.True(sending.Join(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void Waits_are_bounded()
    {
        _connection.WaitAtMost(TimeSpan.FromMilliseconds(20));

        Assert.Equal(Errno.EAGAIN, Assert.Throws<LinuxException>(() => _connection.Read(new byte[1])).Errno);
        Assert.Equal(Errno.EAGAIN, Assert.Throws<LinuxException>(() => _connection.Send(new byte[4 << 20])).Errno);
    }

    [Fact]
    public void Without_waiting_it_sends_what_there_is_room_for()
    {
        var sent = 0;
        while (_connection.SendWithoutWaiting(new byte[1 << 20]) is var count and > 0)
            sent += count;

        Assert.Equal(0, _connection.SendWithoutWaiting([1]));
        for (var left = sent; left > 0;)
            left -= _client.Receive(new byte[Math.Min(left, 1 << 20)]);
        Assert.Equal(1, _connection.SendWithoutWaiting([1]));
    }

    [Fact]
    public void A_client_that_has_gone_is_an_error_and_no_signal()
    {
        _client.Dispose();

        Assert.Equal(0, _connection.SendWithoutWaiting([1]));
        Assert.Throws<LinuxException>(() => _connection.Send([1]));
        Assert.Equal(0, _connection.Read(new byte[1]));
    }
}
