using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Machine.Virtio;
using Hatchway.Machine.Virtio.Devices;
using Hatchway.Vm;

namespace Hatchway.Devices;

/// <summary>A disk's content in a file or block device of the host. Data moves directly between it and the guest's RAM.</summary>
internal sealed class DiskStorage : IBlockStorage, IDisposable
{
    // The usual block size of file systems, and of the host's page cache in any case.
    private const uint FilePhysicalBlock = 4096;

    private readonly DiskFile _file;
    private readonly GuestRam _ram;

    private DiskStorage(DiskFile file, GuestRam ram, VirtioBlockOptions options)
    {
        _file = file;
        _ram = ram;
        IsReadOnly = options.ReadOnly;
        LogicalBlock = options.LogicalBlock ?? file.LogicalBlock;
        PhysicalBlock = Math.Max(LogicalBlock, options.PhysicalBlock ?? (file.IsBlockDevice ? file.PhysicalBlock : FilePhysicalBlock));
        // Punching a hole behind the file's end changes nothing, and tells whether the file system supports holes.
        CanDiscard = options is { ReadOnly: false, NoDelete: false }
            && (file.IsBlockDevice || file.TryDiscard((long)file.Length, LogicalBlock));
    }

    public ulong Length => _file.Length;

    public bool IsReadOnly { get; }

    public uint LogicalBlock { get; }

    public uint PhysicalBlock { get; }

    public bool CanDiscard { get; }

    /// <summary>Opens the disk that the user named.</summary>
    /// <param name="origin">What the user typed, for messages.</param>
    /// <param name="options">What the user asked for.</param>
    /// <param name="ram">The guest's RAM.</param>
    /// <exception cref="UserException">It can't be opened with these options, or is not a disk.</exception>
    public static DiskStorage Open(string origin, VirtioBlockOptions options, GuestRam ram)
    {
        var file = OpenFile(origin, options);
        if (!file.TryTake(options.Shared))
        {
            file.Dispose();
            throw new UserException(
                $"{origin}: {options.Path} is open in another guest or program, and one of the two writes it: "
                + $"'lsof {options.Path}' says which; end that, or, where their file system is made for it, add ',shared' to both");
        }
        if (options is { NoCache: true, LogicalBlock: { } wanted } && wanted < file.LogicalBlock)
        {
            file.Dispose();
            throw new UserException(
                $"{origin}: past the page cache {options.Path} takes blocks of {file.LogicalBlock} bytes, and 'sectorsize' is {wanted}: "
                + $"leave ',nocache' away, or write ',sectorsize={file.LogicalBlock}'");
        }
        var storage = new DiskStorage(file, ram, options);
        if (file.Length > 0 && file.Length % storage.LogicalBlock == 0)
            return storage;
        file.Dispose();
        throw new UserException(file.Length == 0
            ? $"{origin}: {options.Path} has no bytes: 'truncate -s 10G FILE' makes a file that is an empty disk"
            : $"{origin}: {options.Path} has {file.Length} bytes, and a disk is a number of whole blocks of {storage.LogicalBlock}: "
                + $"'truncate -s %{storage.LogicalBlock} {options.Path}' fills it up");
    }

    public bool TryRead(ulong offset, ReadOnlySpan<GuestRange> target)
    {
        Span<HostRange> parts = stackalloc HostRange[DescriptorChain.MaximumSegments];
        return _file.TryReadAt((long)offset, Locate(target, parts));
    }

    public bool TryWrite(ulong offset, ReadOnlySpan<GuestRange> source)
    {
        Span<HostRange> parts = stackalloc HostRange[DescriptorChain.MaximumSegments];
        return _file.TryWriteAt((long)offset, Locate(source, parts));
    }

    public bool TryFlush() => _file.TryFlush();

    public bool TryDiscard(ulong offset, ulong length)
    {
        // Content is undefined afterwards, so a device that can't discard this range has done its duty, too (VIRTIO 1.2 §5.2.6).
        _file.TryDiscard((long)offset, (long)length);
        return true;
    }

    // A hole in a file reads as zeroes; a range that a block device has discarded may read as anything.
    public bool TryWriteZeroes(ulong offset, ulong length, bool mayDiscard) =>
        (mayDiscard && CanDiscard && !_file.IsBlockDevice && _file.TryDiscard((long)offset, (long)length))
        || _file.TryZero((long)offset, (long)length);

    public void Dispose() => _file.Dispose();

    private static DiskFile OpenFile(string origin, VirtioBlockOptions options)
    {
        try
        {
            return DiskFile.Open(options.Path, new DiskFileOptions(options.ReadOnly, options.NoCache, options.Direct));
        }
        catch (LinuxException failure) when (failure.Errno is Errno.EACCES or Errno.EPERM or Errno.EROFS && !options.ReadOnly)
        {
            throw new UserException(
                $"{origin}: {options.Path} can't be written ({failure.Errno}): give yourself the right to, or add ',ro'");
        }
        catch (LinuxException failure) when (failure.Errno == Errno.EINVAL && options.NoCache)
        {
            throw new UserException($"{origin}: the file system of {options.Path} can't go past the page cache: leave ',nocache' away");
        }
        catch (LinuxException failure)
        {
            throw new UserException($"{origin}: {failure.Message}");
        }
    }

    private ReadOnlySpan<HostRange> Locate(ReadOnlySpan<GuestRange> ranges, Span<HostRange> parts)
    {
        for (var i = 0; i < ranges.Length; i++)
            parts[i] = _ram.Locate(ranges[i].Address, ranges[i].Length);
        return parts[..ranges.Length];
    }
}
