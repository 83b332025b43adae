using Hatchway.Linux;

namespace Hatchway.Passthrough.Host;

/// <summary>The operations that change the host; tests replace them with a recording.</summary>
public interface IHostControls
{
    /// <summary>Writes a line to a file of sysfs.</summary>
    /// <param name="path">Relative to /sys.</param>
    /// <param name="text">The text, without a newline.</param>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    void Write(string path, string text);

    /// <summary>Loads a kernel module.</summary>
    /// <exception cref="IOException">It can't be loaded.</exception>
    void LoadModule(string name);

    /// <summary>Makes a user the owner of a device file.</summary>
    /// <param name="path">The absolute path.</param>
    /// <param name="user">The user id.</param>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    void GiveFile(string path, uint user);
}

/// <summary>The running host.</summary>
public sealed class HostControls : IHostControls
{
    private readonly Sysfs _sysfs = new();

    /// <inheritdoc/>
    public void Write(string path, string text) => _sysfs.Write(path, text);

    /// <inheritdoc/>
    public void LoadModule(string name) => KernelModule.Load(name);

    /// <inheritdoc/>
    public void GiveFile(string path, uint user) => DeviceFile.GiveTo(path, user);
}
