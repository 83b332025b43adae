using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Boot;

/// <summary>A kernel or initrd file: bounded reads, into guest memory without a copy in between.</summary>
/// <remarks>All that goes wrong with it is a <see cref="BootException"/> that names it.</remarks>
internal sealed class BootFile
{
    // Big enough that a read is not the cost, small enough that a kernel's signals are seen soon.
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

    /// <summary>Fills a span from an offset; <paramref name="what"/> is there, for the message when the file ends before.</summary>
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

    /// <summary>Reads a part of the file into guest memory, which must have been checked to be there.</summary>
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

    /// <summary>Demands that a part lies within the file.</summary>
    public void Demand(ulong offset, ulong length, string what)
    {
        if (offset > Length || length > Length - offset)
            throw Damaged(BootPlacement.Text($"{what} needs 0x{length:x} bytes at offset 0x{offset:x} of 0x{Length:x}"));
    }

    /// <summary>A message about this file.</summary>
    public BootException Error(string message) => new($"{_name}: {message}");

    /// <summary>A message about this file when its content makes no sense.</summary>
    public BootException Damaged(string message) => Error($"damaged: {message}; copy it again, or use another one");

    private BootException Unreadable(Exception failure) =>
        new($"{_name}: can't be read ({failure.Message}); see whether it is a file that you may read", failure);
}
