using System.Net.Sockets;

namespace Hatchway.Linux.Tests;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class UnixListenerTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-listener-");

    private string At => Path.Combine(_folder.FullName, "socket");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_client_connects_and_is_heard()
    {
        using var listener = UnixListener.Listen(At);
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(At));
        client.Send("hello"u8);

        using var connection = listener.TryAccept();

        var heard = new byte[5];
        Assert.Equal(5, connection!.Read(heard));
        Assert.Equal("hello"u8, heard);
    }

    [Fact]
    public void The_file_is_its_owners_alone()
    {
        using var listener = UnixListener.Listen(At);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(At));
    }

    [Fact]
    public void Stopped_from_another_thread_it_waits_no_longer()
    {
        using var listener = UnixListener.Listen(At);
        FileDescriptor? accepted = null;
        var waiting = new Thread(() => accepted = listener.TryAccept());
        waiting.Start();

        listener.Stop();

        Assert.True(waiting.Join(TimeSpan.FromSeconds(10)));
        Assert.Null(accepted);
        Assert.Null(listener.TryAccept());
    }

    [Fact]
    public void A_place_that_is_taken_or_too_long_or_not_there_is_an_error()
    {
        using var listener = UnixListener.Listen(At);

        Assert.Throws<LinuxException>(() => UnixListener.Listen(At));
        Assert.Equal(Errno.ENAMETOOLONG, Assert.Throws<LinuxException>(() => UnixListener.Listen("/" + new string('x', 107))).Errno);
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => UnixListener.Listen(Path.Combine(At + "s", "socket"))).Errno);
    }
}
