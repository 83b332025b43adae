using Hatchway.Linux;

namespace Hatchway.Passthrough.Host;

/// <summary>What changes a host: the kernel in the program, a recording in tests.</summary>
public interface IHostControls
{
    /// <summary>Writes a line to a file of sysfs.</summary>
    /// <param name="path">Relative to /sys.</param>
    /// <param name="text">Without the new line.</param>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    void Write(string path, string text);

    /// <summary>Loads a module.</summary>
    /// <exception cref="IOException">It can't be loaded.</exception>
    void LoadModule(string name);

    /// <summary>Gives a device file to a user.</summary>
    /// <param name="path">The whole path.</param>
    /// <param name="user">The user's number.</param>
    /// <exception cref="LinuxException">It can't be given.</exception>
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
