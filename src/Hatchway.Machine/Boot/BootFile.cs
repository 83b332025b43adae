using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Boot;

/// <summary>A kernel or initrd file, read within its bounds, straight into guest memory.</summary>
/// <remarks>Every failure is a <see cref="BootException"/> that names the file.</remarks>
internal sealed class BootFile
{
    // Large enough that the system call costs little, small enough that a signal is handled soon.
    private const int Chunk = 4 << 20;

    private readonly Stream _stream;
    private readonly string _name;

    public BootFile(Stream stream, string name)
    {
        (_stream, _name) = (stream, name);
        if (!stream.CanSeek)
            throw Error("not a regular file, and its size must be known before it is loaded; copy it into a file first");
        try
        {
            Length = (ulong)stream.Length;
        }
        catch (IOException failure)
        {
            throw Unreadable(failure);
        }
    }

    /// <summary>Bytes in the file.</summary>
    public ulong Length { get; }

    /// <summary>Fills a span from an offset. When the file is too short, <paramref name="what"/> names the part in the message.</summary>
    public void Read(ulong offset, Span<byte> destination, string what)
    {
        Demand(offset, (ulong)destination.Length, what);
        try
        {
            _stream.Position = (long)offset;
            _stream.ReadExactly(destination);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(failure);
        }
    }

    /// <summary>Reads a part of the file into guest memory; the caller has checked that it is RAM.</summary>
    public void Load(ulong offset, ulong length, IGuestMemory memory, ulong guestPhysical, string what)
    {
        Demand(offset, length, what);
        for (var done = 0ul; done < length;)
        {
            var piece = (int)Math.Min(Chunk, length - done);
            Read(offset + done, memory.Slice(guestPhysical + done, piece), what);
            done += (ulong)piece;
        }
    }

    /// <summary>Throws unless a part lies within the file.</summary>
    public void Demand(ulong offset, ulong length, string what)
    {
        if (offset > Length || length > Length - offset)
            throw Damaged(BootPlacement.Text($"{what} needs 0x{length:x} bytes at offset 0x{offset:x} of 0x{Length:x}"));
    }

    /// <summary>Makes an exception about this file.</summary>
    public BootException Error(string message) => new($"{_name}: {message}");

    /// <summary>Makes an exception about this file's malformed content.</summary>
    public BootException Damaged(string message) => Error($"damaged: {message}; copy it again, or use another one");

    private BootException Unreadable(Exception failure) =>
        new($"{_name}: can't be read ({failure.Message}); see whether it is a file that you may read", failure);
}
