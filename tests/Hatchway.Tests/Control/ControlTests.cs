using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Hatchway.Control;

namespace Hatchway.Tests.Control;

/// <summary>A guest's control socket, its client and its folder.</summary>
public sealed class ControlTests : IDisposable
{
    private readonly DirectoryInfo _temporary = Directory.CreateTempSubdirectory("hatchway-control-");
    private readonly ControlFolder _folder;
    private readonly FakeGuest _guest = new();

    public ControlTests() => _folder = new ControlFolder(Path.Combine(_temporary.FullName, "run"));

    public void Dispose() => _temporary.Delete(recursive: true);

    [Fact]
    public void Each_request_reaches_the_guest()
    {
        using var server = new ControlServer(_folder, "one", _guest);
        var client = new ControlClient(_folder);

        client.TryAsk("one", "pause");
        client.TryAsk("one", "resume");

        Assert.Equal("fine", client.TryAsk("one", "status")!.Value.GetProperty("state").GetString());
        Assert.Equal(7, client.TryAsk("one", "stats")!.Value.GetProperty("exits").GetInt32());
        Assert.Equal(["pause", "resume"], _guest.Done);
    }

    [Theory]
    [InlineData("stop")]
    [InlineData("kill")]
    public async Task Who_ends_a_guest_is_answered_and_kept_until_its_process_ends(string request)
    {
        var socket = _folder.SocketOf("one");
        using var listener = new ControlServer(_folder, "one", _guest);
        using var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), TestContext.Current.CancellationToken);
        await connection.SendAsync(Encoding.UTF8.GetBytes(request + "\n"), TestContext.Current.CancellationToken);

        var answer = new byte[64];
        var length = await connection.ReceiveAsync(answer, TestContext.Current.CancellationToken);

        Assert.Equal("{}\n", Encoding.UTF8.GetString(answer, 0, length));
        // Nothing more comes while the guest's process lives.
        Assert.False(connection.Poll(TimeSpan.FromMilliseconds(50), SelectMode.SelectRead));
        Assert.Equal([request], _guest.Done);
    }

    [Fact]
    public void What_a_guest_can_not_do_is_an_error_that_names_it()
    {
        _guest.PauseAnswer = "a handler has a CPU";
        using var server = new ControlServer(_folder, "one", _guest);
        var client = new ControlClient(_folder);

        Assert.Equal("the guest 'one': a handler has a CPU", Assert.Throws<UserException>(() => client.TryAsk("one", "pause")).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("fly")]
    [InlineData("statusstatusstatusstatusstatusstatusstatusstatusstatusstatusstatusstatusstatus")]
    public void An_unknown_request_is_answered_with_what_there_is_and_the_next_client_is_served(string request)
    {
        using var server = new ControlServer(_folder, "one", _guest);
        var client = new ControlClient(_folder);

        var failure = Assert.Throws<UserException>(() => client.TryAsk("one", request));

        Assert.Contains("status, stats, stop, kill, pause or resume", failure.Message, StringComparison.Ordinal);
        Assert.NotNull(client.TryAsk("one", "status"));
        Assert.Empty(_guest.Done);
    }

    [Fact]
    public void What_goes_wrong_in_an_answer_is_told_to_who_asked_and_the_next_client_is_served()
    {
        _guest.Failure = new IOException("no descriptors left");
        using var server = new ControlServer(_folder, "one", _guest);
        var client = new ControlClient(_folder);

        Assert.Equal("the guest 'one': no descriptors left", Assert.Throws<UserException>(() => client.TryAsk("one", "stats")).Message);
        Assert.NotNull(client.TryAsk("one", "status"));
    }

    [Fact]
    public void A_guest_that_does_not_answer_is_waited_for_no_longer_than_asked()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder.SocketOf("one"))!);
        using var silent = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        silent.Bind(new UnixDomainSocketEndPoint(_folder.SocketOf("one")));
        silent.Listen();
        var client = new ControlClient(_folder) { Bound = TimeSpan.FromMilliseconds(50) };

        Assert.Contains("does not answer", Assert.Throws<UserException>(() => client.TryAsk("one", "status")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_that_asks_nothing_keeps_nobody_else_waiting()
    {
        using var server = new ControlServer(_folder, "one", _guest);
        using var silent = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        silent.Connect(new UnixDomainSocketEndPoint(_folder.SocketOf("one")));

        Assert.NotNull(new ControlClient(_folder).TryAsk("one", "status"));
    }

    [Fact]
    public void A_name_belongs_to_one_guest_until_that_has_ended()
    {
        using (new ControlServer(_folder, "one", _guest))
        {
            var refused = Assert.Throws<UserException>(() => new ControlServer(_folder, "one", _guest));
            Assert.Contains("a guest called 'one' is running", refused.Message, StringComparison.Ordinal);
            Assert.Equal(["one"], _folder.Names());
        }

        Assert.Empty(_folder.Names());
        new ControlServer(_folder, "one", _guest).Dispose();
    }

    [Fact]
    public void A_socket_that_a_killed_process_left_is_no_guest_and_in_nobodys_way()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder.SocketOf("one"))!);
        using (var left = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            left.Bind(new UnixDomainSocketEndPoint(_folder.SocketOf("one")));
        }
        File.WriteAllText(_folder.SocketOf("one") + ".lock", "");
        Assert.Null(new ControlClient(_folder).TryAsk("one", "status"));

        using var server = new ControlServer(_folder, "one", _guest);

        Assert.NotNull(new ControlClient(_folder).TryAsk("one", "status"));
    }

    [Fact]
    public void Others_can_not_connect()
    {
        using var server = new ControlServer(_folder, "one", _guest);

        const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
            | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(_folder.SocketOf("one")) & Others);
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(Path.GetDirectoryName(_folder.SocketOf("one"))!) & Others);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData(".hidden")]
    [InlineData("line\nfeed")]
    public void A_name_that_can_not_be_a_files_is_refused(string name) =>
        Assert.Contains("can't be a file's", Assert.Throws<UserException>(() => _folder.SocketOf(name)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_name_that_is_too_long_for_a_socket_is_refused() =>
        Assert.Contains("too long", Assert.Throws<UserException>(() => _folder.SocketOf(new string('x', 100))).Message, StringComparison.Ordinal);

    private sealed class FakeGuest : IGuestControl
    {
        public List<string> Done { get; } = [];

        public string? PauseAnswer { get; set; }

        public Exception? Failure { get; set; }

        public void PressPowerButton() => Done.Add("stop");

        public void Stop() => Done.Add("kill");

        public string? Pause()
        {
            Done.Add("pause");
            return PauseAnswer;
        }

        public void Resume() => Done.Add("resume");

        public void WriteStatus(Utf8JsonWriter json)
        {
            json.WriteStartObject();
            json.WriteString("state", "fine");
            json.WriteEndObject();
        }

        public void WriteStatistics(Utf8JsonWriter json)
        {
            json.WriteStartObject();
            if (Failure is not null)
                throw Failure;
            json.WriteNumber("exits", 7);
            json.WriteEndObject();
        }
    }
}
