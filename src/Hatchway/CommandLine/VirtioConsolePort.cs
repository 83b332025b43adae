using System.Text;
using Hatchway.Configuration;
using Hatchway.Machine.Virtio.Devices;

namespace Hatchway.CommandLine;

/// <summary>One port of a <c>virtio-console</c>, with bhyve_config(5)'s names.</summary>
/// <param name="Name">The port's name in the guest.</param>
/// <param name="Path">The socket's file.</param>
/// <param name="Origin">What the user typed.</param>
internal sealed record VirtioConsolePort(string Name, string Path, string Origin)
{
    /// <summary>Reads all ports of a device, in order. Nothing is opened.</summary>
    /// <exception cref="UserException">A port is wrong, or there is none.</exception>
    public static IReadOnlyList<VirtioConsolePort> From(ConfigurationNode node)
    {
        var ports = new List<VirtioConsolePort>();
        foreach (var port in node.Node("port").Children)
        {
            var name = port.Text("name") ?? throw new UserException($"{port.Origin()}: a port needs a name: set the variable name");
            var path = port.Text("path")
                ?? throw new UserException($"{port.Origin()}: the port '{name}' needs a socket: write {name}=PATH");
            if (Encoding.UTF8.GetByteCount(name) is 0 or > VirtioConsole.LongestName)
                throw new UserException($"{port.Origin("name")}: a port's name has 1 to {VirtioConsole.LongestName} letters, not '{name}'");
            if (ports.Exists(other => other.Name == name || other.Path == path))
                throw new UserException($"{port.Origin("name")}: the ports of a console differ in name and path: '{name}={path}' does not");
            ports.Add(new VirtioConsolePort(name, path, port.Origin("path")));
        }
        return ports.Count switch
        {
            0 => throw new UserException($"{node.Origin()}: a console needs a port: write virtio-console,NAME=PATH"),
            > VirtioConsole.MostPorts => throw new UserException(
                $"{node.Origin()}: {ports.Count} ports: a console has {VirtioConsole.MostPorts} at most"),
            _ => ports,
        };
    }
}
