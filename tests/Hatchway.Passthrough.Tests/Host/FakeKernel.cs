using Hatchway.Linux;
using Hatchway.Passthrough.Host;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>Plays the kernel's reactions to writes in sysfs on a <see cref="SysfsTree"/>: overrides, unbinding, probing.</summary>
internal sealed class FakeKernel(SysfsTree tree) : IHostControls
{
    /// <summary>The driver whose id table has a function, by the function; others have none.</summary>
    public Dictionary<string, string> Natives { get; } = [];

    /// <summary>All requests, in order.</summary>
    public List<string> Log { get; } = [];

    /// <summary>Writes to files whose names end with this are refused.</summary>
    public string? Refuses { get; set; }

    /// <summary>The reason why no module can be loaded, or null.</summary>
    public string? Unloadable { get; set; }

    /// <summary>Called at a rescan of the bus, to add what it finds.</summary>
    public Action? Found { get; set; }

    /// <summary>A function that no driver accepts.</summary>
    public string? Unwilling { get; set; }

    public void Write(string path, string text)
    {
        Log.Add($"{path} {text}".TrimEnd());
        if (Refuses is not null && path.EndsWith(Refuses, StringComparison.Ordinal))
            throw new LinuxException($"write '{text}' to {path}", Errno.EIO);
        var parts = path.Split('/');
        switch (parts[^1])
        {
            case "driver_override":
                tree.WithText(parts[^2], parts[^1], text.Length == 0 ? "(null)" : text);
                break;
            case "unbind":
                tree.Unbind(text);
                break;
            case "drivers_probe":
                Probe(text);
                break;
            case "remove":
                tree.Remove(parts[^2]);
                break;
            case "rescan":
                Found?.Invoke();
                break;
            case "resource_alignment":
                tree.Text(path, text);
                break;
            default:
                throw new InvalidOperationException(path);
        }
    }

    public void LoadModule(string name)
    {
        if (Unloadable is not null)
            throw new IOException(Unloadable);
        Log.Add($"modprobe {name}");
        tree.Folder($"module/{name}");
    }

    public void GiveFile(string path, uint user) => Log.Add($"chown {user} {Path.GetFileName(path)}");

    // A function that has a driver is not probed (drivers/base/dd.c, device_attach).
    private void Probe(string address)
    {
        if (tree.Sysfs.Exists($"{SysfsTree.PathOf(address)}/driver"))
            return;
        var named = tree.Sysfs.TryReadText($"{SysfsTree.PathOf(address)}/driver_override");
        var driver = named is null or "(null)" ? Natives.GetValueOrDefault(address) : named;
        if (driver is not null && address != Unwilling)
            tree.Bind(address, driver);
    }
}
