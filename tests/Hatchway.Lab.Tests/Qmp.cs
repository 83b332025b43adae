using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Hatchway.Lab.Tests;

/// <summary>The control socket of the lab's QEMU (QEMU docs/interop/qmp-spec), which removes hardware and makes it fail.</summary>
internal sealed class Qmp : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly StreamReader _reader;

    public Qmp(string path)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(path));
        _reader = new StreamReader(new NetworkStream(_socket), Encoding.UTF8);
        _reader.ReadLine();
        Send("{\"execute\":\"qmp_capabilities\"}");
    }

    /// <summary>Removes a device.</summary>
    public void Remove(string id) => Send($$$"""{"execute":"device_del","arguments":{"id":"{{{id}}}"}}""");

    /// <summary>Executes a command of the human monitor and returns its output.</summary>
    public string Monitor(string command) => Send(
        $$$"""{"execute":"human-monitor-command","arguments":{"command-line":"{{{command}}}"}}""");

    public void Dispose()
    {
        _reader.Dispose();
        _socket.Dispose();
    }

    // Events may come between a command and its answer.
    private string Send(string command)
    {
        _socket.Send(Encoding.UTF8.GetBytes(command + "\n"));
        while (_reader.ReadLine() is { } line)
        {
            using var answer = JsonDocument.Parse(line);
            if (answer.RootElement.TryGetProperty("return", out var value))
                return value.ToString();
            if (answer.RootElement.TryGetProperty("error", out var error))
                throw new InvalidOperationException($"{command}: {error}");
        }
        throw new InvalidOperationException($"{command}: QEMU has gone");
    }
}
