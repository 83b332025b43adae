using System.Text;
using System.Text.Json;
using Hatchway.Linux;
using Hatchway.Terminal;
using Hatchway.Vm;

namespace Hatchway.Control;

/// <summary>
/// A running guest's control socket. A request is one word and a line feed. The answer is one line of JSON: an object, with <c>error</c>
/// when the request failed. After <c>stop</c> and <c>kill</c> the connection stays open until the guest has ended, and a second line says
/// how it ended; after <c>console</c> the connection carries the guest's com1.
/// </summary>
/// <remarks>Only the user who runs the guest can connect: the folder and the socket give access to no other.</remarks>
internal sealed class ControlServer : IDisposable
{
    private const int MaximumRequest = 64;
    private static readonly TimeSpan RequestBound = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AcceptPause = TimeSpan.FromSeconds(1);
    private readonly IDisposable _name;
    private readonly string _path;
    private readonly IGuestControl _guest;
    private readonly UnixListener _listener;
    private readonly ManualResetEvent _closing = new(false);
    private readonly Thread _thread;

    // Clients that wait for the guest's end. The list is its own lock.
    private readonly List<UnixConnection> _waiting = [];

    /// <param name="folder">The folder of control sockets.</param>
    /// <param name="name">The guest's name.</param>
    /// <param name="guest">Executes the requests.</param>
    /// <exception cref="UserException">A guest of that name runs, or the socket can't be made.</exception>
    public ControlServer(ControlFolder folder, string name, IGuestControl guest)
    {
        _guest = guest;
        _path = folder.SocketOf(name);
        _name = folder.Take(name);
        try
        {
            // A killed process of that name may have left its socket.
            File.Delete(_path);
            _listener = UnixListener.Listen(_path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            _name.Dispose();
            throw new UserException($"{_path}: the guest's control socket can't be made: {failure.Message}");
        }
        _thread = new Thread(Accept) { Name = "control", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Tells the clients that wait for the guest's end how it ended. Any thread.</summary>
    public void Tell(EndReason end)
    {
        var line = Line(json =>
        {
            json.WriteStartObject();
            json.WriteString("end", end.ToString());
            json.WriteEndObject();
        });
        lock (_waiting)
        {
            foreach (var client in _waiting)
            {
                try
                {
                    client.Send(line);
                }
                catch (LinuxException)
                {
                    // The client has gone.
                }
            }
        }
    }

    /// <summary>Closes the socket and releases the name. Requests in progress are left to the process's end.</summary>
    public void Dispose()
    {
        LeftFile.Delete(_path);
        _closing.Set();
        _listener.Stop();
        _thread.Join();
        _listener.Dispose();
        _name.Dispose();
        _closing.Dispose();
    }

    private void Accept()
    {
        // Each client is served on the thread pool, so that a slow one delays no other.
        while (!_closing.WaitOne(0))
        {
            if (_listener.TryAccept() is { } client)
                ThreadPool.UnsafeQueueUserWorkItem(Serve, client, preferLocal: false);
            else
                // Usually the process is out of descriptors: clients that wait are accepted when there are some again.
                _closing.WaitOne(AcceptPause);
        }
    }

    private void Serve(UnixConnection client)
    {
        try
        {
            using (client)
            {
                client.WaitAtMost(RequestBound);
                var request = ReadRequest(client);
                if (request is "stop" or "kill")
                {
                    End(client, request);
                    return;
                }
                var answer = TryAnswer(request, out var console);
                if (console is not null)
                    console.Serve(client, answer);
                else
                    client.Send(answer);
            }
        }
        catch (LinuxException)
        {
            // The client has gone, or does not read: there is nothing to tell it.
        }
    }

    // Answers before it acts, since the guest may end at once. The connection ends with this process or with the client.
    private void End(UnixConnection client, string request)
    {
        client.Send(Line(static json => WriteOutcome(json, error: null)));
        client.WaitAtMost(TimeSpan.Zero);
        lock (_waiting)
            _waiting.Add(client);
        try
        {
            if (request == "stop")
                _guest.PressPowerButton();
            else
                _guest.Stop();
            Span<byte> nothing = stackalloc byte[1];
            while (client.Read(nothing) > 0)
            {
            }
        }
        finally
        {
            lock (_waiting)
                _waiting.Remove(client);
        }
    }

    private static string ReadRequest(UnixConnection client)
    {
        Span<byte> request = stackalloc byte[MaximumRequest];
        var length = 0;
        while (length < request.Length)
        {
            var count = client.Read(request[length..]);
            if (count == 0)
                break;
            length += count;
            if (request[..length].IndexOf((byte)'\n') is var end and >= 0)
                return Encoding.UTF8.GetString(request[..end]);
        }
        return Encoding.UTF8.GetString(request[..length]);
    }

    // A failed answer is reported to the client, and must not end the guest.
    private byte[] TryAnswer(string request, out AttachedConsole? console)
    {
        console = null;
        try
        {
            return Answer(request, out console);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Line(json => WriteOutcome(json, failure.Message));
        }
    }

    private byte[] Answer(string request, out AttachedConsole? console)
    {
        console = null;
        switch (request)
        {
            case "status":
                return Line(_guest.WriteStatus);
            case "stats":
                return Line(_guest.WriteStatistics);
            default:
                var error = Do(request, out console);
                return Line(json => WriteOutcome(json, error));
        }
    }

    private static void WriteOutcome(Utf8JsonWriter json, string? error)
    {
        json.WriteStartObject();
        if (error is not null)
            json.WriteString("error", error);
        json.WriteEndObject();
    }

    private static byte[] Line(Action<Utf8JsonWriter> content)
    {
        using var line = new MemoryStream();
        using (var json = new Utf8JsonWriter(line))
            content(json);
        line.WriteByte((byte)'\n');
        return line.ToArray();
    }

    private string? Do(string request, out AttachedConsole? console)
    {
        console = null;
        switch (request)
        {
            case "console":
                if (_guest.Console is not { } there)
                    return "it has no com1: start it with -l com1,console, or another com1";
                if (!there.TryTake())
                    return "somebody else has its console";
                console = there;
                return null;
            case "pause":
                return _guest.Pause();
            case "resume":
                _guest.Resume();
                return null;
            default:
                return $"unknown request '{request}': status, stats, stop, kill, pause, resume or console";
        }
    }
}
