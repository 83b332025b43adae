using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>A part of this process's memory.</summary>
/// <param name="Address">The first byte.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct HostRange(nint Address, nuint Length);

/// <summary>How a <see cref="DiskFile"/> is opened.</summary>
/// <param name="ReadOnly">For reading only.</param>
/// <param name="Direct">Bypasses the host's page cache (O_DIRECT): offsets and lengths must then be whole logical blocks.</param>
/// <param name="Synchronous">A write returns only once the data is on the storage (O_SYNC).</param>
public readonly record struct DiskFileOptions(bool ReadOnly, bool Direct, bool Synchronous);

/// <summary>A file or a block device that holds a disk's content.</summary>
/// <remarks>Any thread may call. Only opening allocates, and only opening throws: later failures are return values.</remarks>
public sealed class DiskFile : FileDescriptor
{
    // Guards _hasLost, and is held during fdatasync, so that the next caller sees the result of the one before.
    private readonly Lock _flush = new();
    private bool _hasLost;

    private const int MostParts = 256;
    private const int ZeroBytes = 64 << 10;

    // SAFETY: never freed; its alignment of 4096 bytes suffices for direct I/O to any storage.
    private static readonly unsafe void* Zeroes = AllocateZeroes();

    private readonly bool _isReadOnly;
    private readonly DirectAlignment _alignment;

    private DiskFile(int fd, bool isReadOnly, DirectAlignment alignment)
        : base(fd) => (_isReadOnly, _alignment) = (isReadOnly, alignment);

    /// <summary>The disk's length in bytes when it was opened.</summary>
    public ulong Length { get; private init; }

    /// <summary>True for a block device, false for a file.</summary>
    public bool IsBlockDevice { get; private init; }

    /// <summary>Bytes of a block device's logical block; 512 for a file, or more when its direct accesses need larger blocks.</summary>
    public uint LogicalBlock { get; private init; }

    /// <summary>Bytes of a block device's physical block; 512 for a file.</summary>
    public uint PhysicalBlock { get; private init; }

    /// <summary>Opens a file or block device.</summary>
    /// <exception cref="LinuxException">It can't be opened with these options.</exception>
    public static DiskFile Open(string path, DiskFileOptions options)
    {
        var flags = (options.ReadOnly ? Libc.O_RDONLY : Libc.O_RDWR)
            | (options.Direct ? Libc.O_DIRECT : 0) | (options.Synchronous ? Libc.O_SYNC : 0);
        var fd = OpenPath(path, flags);
        var length = Libc.lseek(fd, 0, Libc.SEEK_END);
        if (length < 0)
        {
            var failure = new LinuxException($"lseek {path}", LinuxException.Last);
            _ = Libc.close(fd);
            throw failure;
        }
        var isDevice = TryAsk(fd, BlockRequests.BLKSSZGET, out var logical);
        var alignment = options.Direct ? DirectAlignment.Of(fd, isDevice ? logical : null) : DirectAlignment.None;
        return new DiskFile(fd, options.ReadOnly, alignment)
        {
            Length = (ulong)length,
            IsBlockDevice = isDevice,
            LogicalBlock = Math.Max(isDevice ? logical : 512, alignment.Block),
            PhysicalBlock = isDevice && TryAsk(fd, BlockRequests.BLKPBSZGET, out var physical) ? Math.Max(physical, logical) : 512,
        };
    }

    /// <summary>Claims the disk until it is closed: as its only writer, or as a reader of a disk that nobody writes.</summary>
    /// <param name="shared">Allows other writers; they must allow it, too.</param>
    /// <returns>False when another program, or another guest, has it open in a way that conflicts with this.</returns>
    public bool TryTake(bool shared)
    {
        using var use = Use();
        return DiskLock.TryTake(use.Fd, !_isReadOnly, shared);
    }

    /// <summary>Reads from an offset into several parts of memory, until all are full.</summary>
    /// <returns>False when the file ends before that, or can't be read.</returns>
    public bool TryReadAt(long offset, ReadOnlySpan<HostRange> target) => TryTransfer(offset, target, isWrite: false);

    /// <summary>Writes all of several parts of memory at an offset.</summary>
    public bool TryWriteAt(long offset, ReadOnlySpan<HostRange> source) => TryTransfer(offset, source, isWrite: true);

    /// <summary>Returns once all completed writes are on the storage (fdatasync(2)).</summary>
    /// <returns>
    /// False when the kernel could not write everything, and on every call after that: the kernel reports a loss only once.
    /// </returns>
    public bool TryFlush()
    {
        lock (_flush)
        {
            if (_hasLost)
                return false;
            using var use = Use();
            int result;
            do
                result = Libc.fdatasync(use.Fd);
            while (result != 0 && LinuxException.Last == Errno.EINTR);
            _hasLost = result != 0;
            return !_hasLost;
        }
    }

    /// <summary>Frees a range's storage: punches a hole in a file, or issues BLKDISCARD on a device.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">Bytes.</param>
    /// <returns>False when the storage can't; nothing has changed then.</returns>
    public bool TryDiscard(long offset, long length)
    {
        using var use = Use();
        return IsBlockDevice
            ? TryRange(use.Fd, BlockRequests.BLKDISCARD, offset, length)
            : Libc.fallocate(use.Fd, Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, offset, length) == 0;
    }

    /// <summary>Zeroes a range: by a command where the storage has one, else by writing zeroes.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">Bytes.</param>
    public bool TryZero(long offset, long length)
    {
        using var use = Use();
        var isDone = IsBlockDevice
            ? TryRange(use.Fd, BlockRequests.BLKZEROOUT, offset, length)
            : Libc.fallocate(use.Fd, Libc.FALLOC_FL_ZERO_RANGE | Libc.FALLOC_FL_KEEP_SIZE, offset, length) == 0;
        return isDone || TryWriteZeroes(offset, length);
    }

    private unsafe bool TryWriteZeroes(long offset, long length)
    {
        for (var left = length; left > 0;)
        {
            var piece = new HostRange((nint)Zeroes, (nuint)Math.Min(left, ZeroBytes));
            if (!TryTransfer(offset, [piece], isWrite: true))
                return false;
            offset += (long)piece.Length;
            left -= (long)piece.Length;
        }
        return true;
    }

    private static unsafe void* AllocateZeroes()
    {
        var start = NativeMemory.AlignedAlloc(ZeroBytes, 4096);
        NativeMemory.Clear(start, ZeroBytes);
        return start;
    }

    private static unsafe bool TryAsk(int fd, uint request, out uint value)
    {
        var answer = 0u;
        // SAFETY: four bytes, on the stack.
        var done = Ioctl.ioctl(fd, request, &answer) == 0;
        value = answer;
        return done;
    }

    private static unsafe bool TryRange(int fd, uint request, long offset, long length)
    {
        var range = stackalloc ulong[] { (ulong)offset, (ulong)length };
        // SAFETY: two numbers, on the stack.
        return Ioctl.ioctl(fd, request, range) == 0;
    }

    // A driver may split a request's memory at any byte and place the parts anywhere (VIRTIO 1.2 §2.7.4), so they may need a copy.
    private bool TryTransfer(long offset, ReadOnlySpan<HostRange> parts, bool isWrite) =>
        _alignment.IsMetBy(parts) ? TryTransferInPlace(offset, parts, isWrite) : TryTransferByCopy(offset, parts, isWrite);

    private bool TryTransferByCopy(long offset, ReadOnlySpan<HostRange> parts, bool isWrite)
    {
        var piece = AlignedPiece.OfThread;
        var left = (nuint)0;
        foreach (ref readonly var part in parts)
            left += part.Length;
        for (var done = (nuint)0; left > 0;)
        {
            var length = (int)Math.Min(left, AlignedPiece.Bytes);
            if (isWrite)
                piece.Copy(parts, done, length, isToParts: false);
            if (!TryTransferInPlace(offset + (long)done, [piece.First(length)], isWrite))
                return false;
            if (!isWrite)
                piece.Copy(parts, done, length, isToParts: true);
            done += (nuint)length;
            left -= (nuint)length;
        }
        return true;
    }

    private unsafe bool TryTransferInPlace(long offset, ReadOnlySpan<HostRange> parts, bool isWrite)
    {
        using var use = Use();
        var vector = stackalloc iovec[MostParts];
        var first = 0;
        var skip = (nuint)0;
        while (first < parts.Length)
        {
            var count = Math.Min(parts.Length - first, MostParts);
            for (var i = 0; i < count; i++)
                vector[i] = new iovec { iov_base = (void*)parts[first + i].Address, iov_len = parts[first + i].Length };
            vector[0].iov_base = (byte*)vector[0].iov_base + skip;
            vector[0].iov_len -= skip;
            // SAFETY: the vector has as many entries as the kernel is told; the caller guarantees that the memory they name exists.
            var done = isWrite ? Libc.pwritev(use.Fd, vector, count, offset) : Libc.preadv(use.Fd, vector, count, offset);
            if (done < 0 && LinuxException.Last == Errno.EINTR)
                continue;
            if (done <= 0)
                return false;
            offset += done;
            // The kernel may stop within a part, as it does after 2 GiB.
            skip += (nuint)done;
            while (first < parts.Length && skip >= parts[first].Length)
                skip -= parts[first++].Length;
        }
        return true;
    }
}
