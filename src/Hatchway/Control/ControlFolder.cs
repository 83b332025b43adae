using System.Text;
using Hatchway.Linux;

namespace Hatchway.Control;

/// <summary>The folder with the running guests' control sockets, by their names.</summary>
/// <param name="path">The folder.</param>
internal sealed class ControlFolder(string path)
{
    private const string SocketSuffix = ".sock";
    private const string LockSuffix = ".lock";

    /// <summary>The folder of the user who runs this program: /run/hatchway for root, else hatchway in XDG_RUNTIME_DIR; null without
    /// that.</summary>
    public static ControlFolder? OfUser()
    {
        if (Environment.IsPrivilegedProcess)
            return new ControlFolder("/run/hatchway");
        return Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } runtime
            ? new ControlFolder(System.IO.Path.Combine(runtime, "hatchway"))
            : null;
    }

    /// <summary>The folder's path.</summary>
    public string Path => path;

    /// <summary>Makes the folder, if it does not exist.</summary>
    /// <exception cref="UserException">It can't be made.</exception>
    public void Make()
    {
        try
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Unusable(failure);
        }
    }

    /// <summary>The path of a guest's socket.</summary>
    /// <exception cref="UserException">The name can't be a file's, or is too long.</exception>
    public string SocketOf(string name)
    {
        if (name.Length == 0 || name[0] == '.' || name.Contains('/', StringComparison.Ordinal) || name.Any(char.IsControl))
            throw new UserException($"the guest's name '{name}' can't be a file's: leave out '/' and a '.' at the beginning");
        var socket = System.IO.Path.Combine(path, name + SocketSuffix);
        return Encoding.UTF8.GetByteCount(socket) <= UnixListener.MaximumPath
            ? socket
            : throw new UserException(
                $"the guest's name '{name}' is too long: '{socket}' must be {UnixListener.MaximumPath} bytes at most");
    }

    /// <summary>The names of guests with a socket, sorted. A guest whose process was killed may be among them.</summary>
    public IReadOnlyList<string> Names()
    {
        if (!Directory.Exists(path))
            return [];
        var names = Directory.EnumerateFiles(path, "*" + SocketSuffix)
            .Select(static file => System.IO.Path.GetFileNameWithoutExtension(file))
            .ToArray();
        Array.Sort(names, StringComparer.Ordinal);
        return names;
    }

    /// <summary>Claims a name until the result is disposed or the process ends; no other process can have it meanwhile.</summary>
    /// <exception cref="UserException">A guest of that name runs, or the folder can't be made.</exception>
    public IDisposable Take(string name)
    {
        var file = System.IO.Path.ChangeExtension(SocketOf(name), null) + LockSuffix;
        Make();
        try
        {
            // .NET implements this with flock(2): the kernel releases it when the process ends, however it ends.
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException failure) when (failure.HResult == (int)Errno.EAGAIN)
        {
            throw new UserException(
                $"a guest called '{name}' is running: give this one another name, or end that one with 'hatchway stop {name}'");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Unusable(failure);
        }
    }

    private UserException Unusable(Exception failure) => new($"{path} can't be used for the guest's control socket: {failure.Message}");
}
