using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Hatchway.Control;

/// <summary>Sends requests to running guests (<see cref="ControlServer"/>).</summary>
internal sealed class ControlClient(ControlFolder folder)
{
    /// <summary>How long to wait for an answer. The default exceeds any request's time: a pause waits seconds for a CPU.</summary>
    public TimeSpan Bound { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Sends a guest a request.</summary>
    /// <returns>Its answer, or null when no guest of that name runs.</returns>
    /// <exception cref="UserException">The guest can't be reached, does not answer, or could not do it.</exception>
    public JsonElement? TryAsk(string name, string request)
    {
        using var connection = Connect(name);
        return connection is null ? null : Ask(connection, name, request);
    }

    /// <summary>Asks a guest to end, and waits until it has.</summary>
    /// <param name="name">The guest's name.</param>
    /// <param name="request"><c>stop</c> or <c>kill</c>.</param>
    /// <param name="end">How it ended (<see cref="Vm.EndReason"/>), or null when the connection closed before it said so.</param>
    /// <returns>False when no guest of that name runs.</returns>
    /// <exception cref="UserException">The guest can't be reached, or could not do it.</exception>
    public bool TryEnd(string name, string request, out string? end)
    {
        end = null;
        using var connection = Connect(name);
        if (connection is null)
            return false;
        Ask(connection, name, request);
        connection.ReceiveTimeout = 0;
        try
        {
            if (ReadLine(connection) is { Count: > 0 } line)
                end = Parse(line).GetProperty("end").GetString();
            // The process ends a little later, which closes the connection.
            ReadLine(connection);
        }
        catch (SocketException)
        {
            // A reset connection means the end, too.
        }
        return true;
    }

    /// <summary>Attaches to a guest's com1.</summary>
    /// <returns>The connection, which now carries the console; null when no guest of that name runs.</returns>
    /// <exception cref="UserException">The guest can't be reached, or has no console to give.</exception>
    public Socket? TryAttach(string name)
    {
        var connection = Connect(name);
        try
        {
            if (connection is not null)
                Ask(connection, name, "console");
            return connection;
        }
        catch
        {
            connection?.Dispose();
            throw;
        }
    }

    private Socket? Connect(string name)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
        {
            ReceiveTimeout = (int)Bound.TotalMilliseconds,
            SendTimeout = (int)Bound.TotalMilliseconds,
        };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(folder.SocketOf(name)));
            return socket;
        }
        // ConnectionRefused: the process was killed, and its socket is left. AddressNotAvailable: there is no socket.
        catch (SocketException failure) when (failure.SocketErrorCode is SocketError.ConnectionRefused or SocketError.AddressNotAvailable)
        {
            socket.Dispose();
            return null;
        }
        catch (SocketException failure)
        {
            socket.Dispose();
            throw new UserException($"the guest '{name}' can't be asked: {failure.Message}");
        }
    }

    private static JsonElement Ask(Socket connection, string name, string request)
    {
        try
        {
            connection.Send(Encoding.UTF8.GetBytes(request + "\n"));
            var line = ReadLine(connection);
            if (line.Count == 0)
                throw new UserException($"the guest '{name}' ended before it answered");
            var answer = Parse(line);
            return answer.TryGetProperty("error", out var error)
                ? throw new UserException($"the guest '{name}': {error.GetString()}")
                : answer;
        }
        catch (Exception failure) when (failure is SocketException or IOException or JsonException)
        {
            throw new UserException($"the guest '{name}' does not answer: {failure.Message}");
        }
    }

    private static JsonElement Parse(List<byte> line)
    {
        var reader = new Utf8JsonReader(line.ToArray());
        return JsonElement.ParseValue(ref reader);
    }

    // Reads not a byte beyond the line: after that the connection may carry the console.
    private static List<byte> ReadLine(Socket connection)
    {
        var line = new List<byte>();
        Span<byte> next = stackalloc byte[1];
        while (connection.Receive(next) > 0 && next[0] != (byte)'\n')
            line.Add(next[0]);
        return line;
    }
}
