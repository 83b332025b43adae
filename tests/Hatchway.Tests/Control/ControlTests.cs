using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Hatchway.Control;
using Hatchway.Machine.Devices;
using Hatchway.Terminal;
using Hatchway.Vm;

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
    public async Task Who_ends_a_guest_is_answered_and_told_how_it_ended_and_kept_until_its_process_ends(string request)
    {
        var socket = _folder.SocketOf("one");
        using var listener = new ControlServer(_folder, "one", _guest);
        using var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), TestContext.Current.CancellationToken);
        await connection.SendAsync(Encoding.UTF8.GetBytes(request + "\n"), TestContext.Current.CancellationToken);

        var answer = new byte[64];
        var length = await connection.ReceiveAsync(answer, TestContext.Current.CancellationToken);

        Assert.Equal("{}\n", Encoding.UTF8.GetString(answer, 0, length));
        // Nothing more comes while the guest's process runs.
        Assert.False(connection.Poll(TimeSpan.FromMilliseconds(50), SelectMode.SelectRead));

        // The server may not be waiting for the end yet.
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                listener.Tell(EndReason.PowerOff);
                return connection.Poll(TimeSpan.FromMilliseconds(10), SelectMode.SelectRead);
            },
            TimeSpan.FromMinutes(1)));
        length = await connection.ReceiveAsync(answer, TestContext.Current.CancellationToken);
        Assert.Equal("""{"end":"PowerOff"}""" + "\n", Encoding.UTF8.GetString(answer, 0, length));
        Assert.True(SpinWait.SpinUntil(() => _guest.Done.SequenceEqual([request]), TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void Who_attaches_to_the_console_sees_what_was_said_last_and_types_and_is_alone()
    {
        var console = _guest.Console = new AttachedConsole();
        var port = new SlowPort(console);
        console.Port = port;
        console.Write(new byte[AttachedConsole.HistoryBytes]);
        console.Write("login: "u8);
        using var server = new ControlServer(_folder, "one", _guest);
        var client = new ControlClient(_folder);
        using (var first = client.TryAttach("one")!)
        {
            Assert.Equal(new byte[AttachedConsole.HistoryBytes - 7], Receive(first, AttachedConsole.HistoryBytes - 7));
            Assert.Equal("login: ", Encoding.UTF8.GetString(Receive(first, 7)));
            Assert.Contains("somebody else", Assert.Throws<UserException>(() => client.TryAttach("one")).Message, StringComparison.Ordinal);
            first.Send("a long name\n"u8);
            Assert.Equal("a long name\n", port.Take(12));
            console.Write("Password: "u8);
            Assert.Equal("Password: ", Encoding.UTF8.GetString(Receive(first, 10)));
        }

        Socket? second = null;
        Assert.True(SpinWait.SpinUntil(() => TryAttach(client, out second), TimeSpan.FromMinutes(1)));
        using (second)
            Assert.Equal(AttachedConsole.HistoryBytes, Receive(second!, AttachedConsole.HistoryBytes).Length);
    }

    [Fact]
    public void Who_leaves_what_the_guest_does_not_take_leaves_the_console()
    {
        var console = _guest.Console = new AttachedConsole();
        console.Port = new FullPort();
        using var server = new ControlServer(_folder, "one", _guest);
        var client = new ControlClient(_folder);
        // With a wait of a second for each 64 bytes this would take minutes.
        using (var first = client.TryAttach("one")!)
            first.Send(new byte[10_000]);

        Socket? second = null;
        Assert.True(SpinWait.SpinUntil(() => TryAttach(client, out second), TimeSpan.FromMinutes(1)));
        second?.Dispose();
    }

    [Fact]
    public void A_guest_ends_well_whose_sockets_folder_is_gone()
    {
        var server = new ControlServer(_folder, "one", _guest);
        Directory.Delete(Path.GetDirectoryName(_folder.SocketOf("one"))!, recursive: true);

        server.Dispose();
    }

    [Fact]
    public void A_guest_without_com1_has_no_console()
    {
        using var server = new ControlServer(_folder, "one", _guest);

        Assert.Contains(
            "no com1", Assert.Throws<UserException>(() => new ControlClient(_folder).TryAttach("one")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("abc", "abc", false)]
    [InlineData("a\u0001xb", "ab", true)]
    [InlineData("\u0001\u0001x", "\u0001x", false)]
    [InlineData("\u0001ax", "ax", false)]
    public void Keys_behind_ctrl_a_are_the_consoles(string typed, string left, bool isEnd)
    {
        var keys = new EscapeKeys();
        var kept = new List<byte>();
        var ended = false;
        // One key at a time, as when typed.
        foreach (var key in Encoding.UTF8.GetBytes(typed))
        {
            kept.AddRange(keys.Filter([key], out var now));
            ended |= now;
        }

        Assert.Equal((left, isEnd), (Encoding.UTF8.GetString([.. kept]), ended));
    }

    private static bool TryAttach(ControlClient client, out Socket? connection)
    {
        connection = null;
        try
        {
            connection = client.TryAttach("one");
        }
        catch (UserException)
        {
            // The server has not noticed yet that the first client has left.
        }
        return connection is not null;
    }

    private static byte[] Receive(Socket client, int count)
    {
        var bytes = new byte[count];
        for (var done = 0; done < count;)
            done += client.Receive(bytes.AsSpan(done)) is > 0 and var more ? more : throw new EndOfStreamException();
        return bytes;
    }

    private sealed class FullPort : ICharacterInput
    {
        public int Receive(ReadOnlySpan<byte> bytes) => 0;
    }

    // Takes one byte at a time, and reports room later.
    private sealed class SlowPort(AttachedConsole console) : ICharacterInput
    {
        private readonly List<byte> _bytes = [];

        public int Receive(ReadOnlySpan<byte> bytes)
        {
            lock (_bytes)
                _bytes.Add(bytes[0]);
            ThreadPool.UnsafeQueueUserWorkItem(static console => console.SignalRoom(), console, preferLocal: false);
            return 1;
        }

        public string Take(int count)
        {
            Assert.True(SpinWait.SpinUntil(() => Count == count, TimeSpan.FromMinutes(1)));
            lock (_bytes)
                return Encoding.UTF8.GetString([.. _bytes]);
        }

        private int Count
        {
            get
            {
                lock (_bytes)
                    return _bytes.Count;
            }
        }
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

        Assert.Contains("status, stats, stop, kill, pause, resume or console", failure.Message, StringComparison.Ordinal);
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

        var failure = Assert.Throws<UserException>(() => client.TryAsk("one", "status"));

        Assert.Contains("does not answer", failure.Message, StringComparison.Ordinal);
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
        Assert.Contains(
            "too long",
            Assert.Throws<UserException>(() => _folder.SocketOf(new string('x', 100))).Message,
            StringComparison.Ordinal);

    private sealed class FakeGuest : IGuestControl
    {
        public AttachedConsole? Console { get; set; }

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
