using System.Globalization;
using System.Text;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>The kernel's objects as files (sysfs(5)).</summary>
/// <param name="root">Where it is mounted; a folder with recorded files in tests.</param>
/// <remarks>Paths are relative to the root. Any thread may call.</remarks>
public sealed class Sysfs(string root = "/sys")
{
    /// <summary>True when a file or folder is there.</summary>
    public bool Exists(string path) => Path.Exists(PathOf(path));

    /// <summary>A file's text without the white space around it, or null when it can't be read.</summary>
    public string? TryReadText(string path) => KernelFile.TryRead(PathOf(path))?.Trim();

    /// <summary>A file's number, written in hexadecimal with or without 0x.</summary>
    /// <exception cref="LinuxException">The file is not there, or holds something else.</exception>
    public ulong ReadHex(string path)
    {
        var text = TryReadText(path) ?? throw new LinuxException($"read {PathOf(path)}", Errno.ENOENT);
        var digits = text.StartsWith("0x", StringComparison.Ordinal) ? text.AsSpan(2) : text;
        return ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new LinuxException($"read {PathOf(path)}: '{text}' is no hexadecimal number", Errno.EINVAL);
    }

    /// <summary>The last part of a link's target, or null when there is no such link.</summary>
    public string? ReadLinkName(string path) => Path.GetFileName(ReadLink(path));

    /// <summary>A link's target as it is written, or null when there is no such link.</summary>
    public string? ReadLink(string path)
    {
        try
        {
            return new FileInfo(PathOf(path)).LinkTarget;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes a text to a kernel file with a single write.</summary>
    /// <param name="path">The file.</param>
    /// <param name="text">The text. A newline is added, which the kernel ignores, and which on its own clears a setting.</param>
    /// <exception cref="LinuxException">The file is not there, may not be written, or the kernel refuses.</exception>
    public void Write(string path, string text)
    {
        var file = PathOf(path);
        using var open = new FileDescriptor(FileDescriptor.OpenPath(file, Libc.O_WRONLY));
        if (!open.TryWrite(Encoding.UTF8.GetBytes(text + "\n")))
            LinuxException.Throw($"write '{text}' to {file}");
    }

    /// <summary>The absolute path of a file or folder.</summary>
    public string PathOf(string path) => Path.Combine(root, path);

    /// <summary>The names in a folder, sorted; empty when there is no such folder, or it can't be read.</summary>
    public IReadOnlyList<string> List(string path)
    {
        var folder = PathOf(path);
        if (!Directory.Exists(folder))
            return [];
        try
        {
            var names = Directory.EnumerateFileSystemEntries(folder).Select(static entry => Path.GetFileName(entry)!).ToArray();
            Array.Sort(names, StringComparer.Ordinal);
            return names;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Reads bytes of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="most">How many bytes at most; the file may have fewer.</param>
    /// <param name="from">The first byte's offset.</param>
    /// <returns>No bytes when the file can't be read.</returns>
    public byte[] ReadBytes(string path, int most, int from = 0)
    {
        try
        {
            using var file = new FileStream(PathOf(path), FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0)
            {
                Position = from,
            };
            var bytes = new byte[most];
            return bytes[..file.ReadAtLeast(bytes, most, throwOnEndOfStream: false)];
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
