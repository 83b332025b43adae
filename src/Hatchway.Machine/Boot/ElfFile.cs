namespace Hatchway.Machine.Boot;

/// <summary>Offsets in ELF64 structures (System V ABI, chapters 4 and 5).</summary>
internal static class ElfOffset
{
    public const uint Magic = 0x464C_457F; // "\x7FELF"

    public const int Class = 4;
    public const int Encoding = 5;
    public const int Machine = 18;
    public const int ProgramHeaders = 32;
    public const int ProgramHeaderSize = 54;
    public const int ProgramHeaderCount = 56;
    public const int HeaderLength = 64;

    public const int SegmentType = 0;
    public const int SegmentFileOffset = 8;
    public const int SegmentPhysical = 24;
    public const int SegmentFileSize = 32;
    public const int SegmentMemorySize = 40;
    public const int SegmentAlignment = 48;
    public const int SegmentLength = 56;

    public const int NoteNameSize = 0;
    public const int NoteValueSize = 4;
    public const int NoteType = 8;
    public const int NoteLength = 12;
}

/// <summary>The type of a program header.</summary>
internal enum ElfSegmentKind : uint
{
    Load = 1,
    Note = 4,
}

/// <summary>A program header.</summary>
internal sealed record ElfSegment(
    ElfSegmentKind Kind, ulong FileOffset, ulong Physical, ulong FileSize, ulong MemorySize, ulong Alignment);

/// <summary>An ELF64 image for x86-64: its program headers and notes, with every number checked against the file.</summary>
internal sealed class ElfFile
{
    private const byte Class64 = 2;
    private const byte LittleEndian = 1;
    private const ushort MachineX86 = 62;

    // Linux's vmlinux has five segments, and some hundred bytes of notes. A file with far more is damaged, and would only cost time.
    private const int MostSegments = 256;
    private const ulong MostNoteBytes = 1 << 20;

    private readonly BootFile _file;

    private ElfFile(BootFile file, IReadOnlyList<ElfSegment> segments) => (_file, Segments) = (file, segments);

    /// <summary>The program headers, in the file's order. Each lies within the file.</summary>
    public IReadOnlyList<ElfSegment> Segments { get; }

    /// <summary>Reads the headers.</summary>
    /// <exception cref="BootException">It is not an ELF64 image for x86-64, or is damaged.</exception>
    public static ElfFile Read(BootFile file)
    {
        var header = new byte[ElfOffset.HeaderLength];
        file.Read(0, header, "the ELF header");
        var fields = new LittleEndianReader(header);
        var machine = fields.UInt16(ElfOffset.Machine);
        if (header[ElfOffset.Class] != Class64 || header[ElfOffset.Encoding] != LittleEndian || machine != MachineX86)
            throw file.Error("an ELF image, but not a 64-bit one for x86-64; use a kernel for x86-64");
        var count = (int)fields.UInt16(ElfOffset.ProgramHeaderCount);
        var size = fields.UInt16(ElfOffset.ProgramHeaderSize);
        if (size != ElfOffset.SegmentLength || count is 0 or > MostSegments)
            throw file.Damaged(BootPlacement.Text($"it has {count} program headers of {size} bytes"));
        var table = new byte[count * ElfOffset.SegmentLength];
        file.Read(fields.UInt64(ElfOffset.ProgramHeaders), table, "the program headers");
        var segments = new ElfSegment[count];
        for (var index = 0; index < count; index++)
            segments[index] = ReadSegment(file, table.AsSpan(index * ElfOffset.SegmentLength, ElfOffset.SegmentLength));
        return new(file, segments);
    }

    /// <summary>Finds a note's value.</summary>
    /// <param name="owner">The note's name, with its terminating zero.</param>
    /// <param name="type">The note's type.</param>
    /// <param name="value">The note's value.</param>
    /// <returns>False when there is no such note.</returns>
    public bool TryFindNote(ReadOnlySpan<byte> owner, uint type, out ReadOnlyMemory<byte> value)
    {
        foreach (var segment in Segments)
        {
            if (segment.Kind != ElfSegmentKind.Note || segment.FileSize > MostNoteBytes)
                continue;
            var notes = new byte[segment.FileSize];
            _file.Read(segment.FileOffset, notes, "a note segment");
            if (TryFindNote(notes, segment.Alignment == 8 ? 8u : 4u, owner, type, out value))
                return true;
        }
        value = default;
        return false;
    }

    // A note whose sizes lead out of the segment ends the search in that segment.
    private static bool TryFindNote(
        ReadOnlyMemory<byte> notes, ulong alignment, ReadOnlySpan<byte> owner, uint type, out ReadOnlyMemory<byte> value)
    {
        while (notes.Length >= ElfOffset.NoteLength)
        {
            var fields = new LittleEndianReader(notes.Span);
            var nameSize = fields.UInt32(ElfOffset.NoteNameSize);
            var valueSize = fields.UInt32(ElfOffset.NoteValueSize);
            var valueStart = AlignUp(ElfOffset.NoteLength + (ulong)nameSize, alignment);
            var valueEnd = valueStart + valueSize;
            if (valueEnd > (ulong)notes.Length)
                break;
            if (fields.UInt32(ElfOffset.NoteType) == type && notes.Span.Slice(ElfOffset.NoteLength, (int)nameSize).SequenceEqual(owner))
            {
                value = notes[(int)valueStart..(int)valueEnd];
                return true;
            }
            notes = notes[(int)Math.Min(AlignUp(valueEnd, alignment), (ulong)notes.Length)..];
        }
        value = default;
        return false;
    }

    private static ElfSegment ReadSegment(BootFile file, ReadOnlySpan<byte> bytes)
    {
        var fields = new LittleEndianReader(bytes);
        var segment = new ElfSegment(
            (ElfSegmentKind)fields.UInt32(ElfOffset.SegmentType),
            fields.UInt64(ElfOffset.SegmentFileOffset),
            fields.UInt64(ElfOffset.SegmentPhysical),
            fields.UInt64(ElfOffset.SegmentFileSize),
            fields.UInt64(ElfOffset.SegmentMemorySize),
            fields.UInt64(ElfOffset.SegmentAlignment));
        if (segment.Kind is not (ElfSegmentKind.Load or ElfSegmentKind.Note))
            return segment;
        file.Demand(segment.FileOffset, segment.FileSize, "a segment");
        if (segment.Kind == ElfSegmentKind.Load && segment.FileSize > segment.MemorySize)
            throw file.Damaged("a segment is larger in the file than in memory");
        return segment;
    }

    private static ulong AlignUp(ulong value, ulong alignment) => (value + alignment - 1) & ~(alignment - 1);
}
