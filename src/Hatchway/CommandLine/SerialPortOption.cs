using System.Net;
using Hatchway.Configuration;
using Hatchway.Machine.Devices;

namespace Hatchway.CommandLine;

/// <summary>The host's end of a guest's serial port.</summary>
internal abstract record SerialBackend;

/// <summary>This process's standard input and output.</summary>
internal sealed record StandardStreams : SerialBackend;

/// <summary>A terminal or serial port of the host.</summary>
internal sealed record TerminalPath(string Path) : SerialBackend;

/// <summary>A new pseudo terminal.</summary>
internal sealed record PseudoTerminalBackend : SerialBackend;

/// <summary>Only the guest's control socket, for <c>hatchway console</c>.</summary>
internal sealed record ControlSocket : SerialBackend;

/// <summary>A TCP server.</summary>
internal sealed record TcpServer(IPEndPoint Address) : SerialBackend;

/// <summary>A serial port behind the LPC bridge: <c>lpc.com1.path</c> and so on.</summary>
/// <param name="Number">1 to 4.</param>
/// <param name="Backend">Its host end.</param>
/// <param name="Origin">What the user typed.</param>
internal sealed record SerialPortOption(int Number, SerialBackend Backend, string Origin)
{
    /// <summary>Reads the connected ports, in order. Nothing is opened.</summary>
    /// <exception cref="UserException">A path is not usable.</exception>
    public static IReadOnlyList<SerialPortOption> From(ConfigurationTree tree)
    {
        var ports = new List<SerialPortOption>();
        for (var number = 1; number <= SerialPort.All.Count; number++)
        {
            var node = tree.Node($"lpc.com{number}");
            if (node.Text("path") is not { } path)
                continue;
            var port = new SerialPortOption(number, Parse(node.Origin("path"), path), node.Origin("path"));
            if (port.Backend is ControlSocket && number != 1)
                throw new UserException($"{port.Origin}: 'hatchway console' is for com1: connect com{number} with something else");
            if (ports.Find(other => other.Backend is not PseudoTerminalBackend && other.Backend == port.Backend) is { } other)
                throw new UserException($"{port.Origin}: {path} is com{other.Number}'s already: connect com{number} with something else");
            ports.Add(port);
        }
        return ports;
    }

    private static SerialBackend Parse(string origin, string path)
    {
        if (path == "stdio")
            return new StandardStreams();
        if (path == "console")
            return new ControlSocket();
        if (path == "pty")
            return new PseudoTerminalBackend();
        if (path.StartsWith("tcp=", StringComparison.Ordinal))
            return new TcpServer(ParseAddress(origin, path[4..]));
        if (!Path.Exists(path))
            throw new UserException($"{origin}: {path}: no such terminal; write stdio, console, pty, tcp=IP:PORT or a path as /dev/ttyS0");
        return new TerminalPath(path);
    }

    private static IPEndPoint ParseAddress(string origin, string text)
    {
        // The port is parsed here, since an endpoint's parser takes a missing one as 0.
        var colon = text.LastIndexOf(':');
        var host = colon < 0 ? "" : text[..colon];
        var bracketed = host.StartsWith('[') && host.EndsWith(']');
        if (colon > 0 && (bracketed || !host.Contains(':', StringComparison.Ordinal))
            && IPAddress.TryParse(bracketed ? host[1..^1] : host, out var address)
            && ConfigurationNode.TryNumber(text[(colon + 1)..], out var port) && port is > 0 and <= ushort.MaxValue)
            return new IPEndPoint(address, port);
        throw new UserException($"{origin}: '{text}' is no address: write tcp=IP:PORT, as tcp=127.0.0.1:4000 or tcp=[::1]:4000");
    }
}
