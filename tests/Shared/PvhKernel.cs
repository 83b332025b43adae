using System.Buffers.Binary;
using Iced.Intel;

namespace Hatchway.SmallGuests;

/// <summary>A few instructions as an ELF file with a PVH entry, in 32-bit protected mode
/// (xen/include/public/arch-x86/hvm/start_info.h).</summary>
internal static class PvhKernel
{
    /// <summary>The address of its first instruction.</summary>
    public const uint LoadAt = 0x10_0000;
    private const int HeaderBytes = 64;
    private const int ProgramHeaderBytes = 56;
    private const int NoteBytes = 20;
    private const uint Phys32Entry = 18;

    public static byte[] Build(Action<Assembler> code)
    {
        var assembler = new Assembler(32);
        code(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), LoadAt);
        var instructions = stream.ToArray();

        const int CodeAt = HeaderBytes + (2 * ProgramHeaderBytes) + NoteBytes + 4;
        var file = new byte[CodeAt + instructions.Length];
        ReadOnlySpan<byte> ident = [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1];
        ident.CopyTo(file);
        Write(file, 16, 2, 2);              // ET_EXEC
        Write(file, 18, 62, 2);             // EM_X86_64
        Write(file, 20, 1, 4);
        Write(file, 24, LoadAt, 8);
        Write(file, 32, HeaderBytes, 8);    // e_phoff
        Write(file, 52, HeaderBytes, 2);
        Write(file, 54, ProgramHeaderBytes, 2);
        Write(file, 56, 2, 2);
        WriteProgramHeader(file, HeaderBytes, 1, CodeAt, LoadAt, (ulong)instructions.Length);
        const int NoteAt = HeaderBytes + (2 * ProgramHeaderBytes);
        WriteProgramHeader(file, HeaderBytes + ProgramHeaderBytes, 4, NoteAt, 0, NoteBytes);
        Write(file, NoteAt, 4, 4);
        Write(file, NoteAt + 4, 4, 4);
        Write(file, NoteAt + 8, Phys32Entry, 4);
        "Xen\0"u8.CopyTo(file.AsSpan(NoteAt + 12));
        Write(file, NoteAt + 16, LoadAt, 4);
        instructions.CopyTo(file.AsSpan(CodeAt));
        return file;
    }

    private static void WriteProgramHeader(byte[] file, int at, uint type, ulong offset, ulong address, ulong size)
    {
        Write(file, at, type, 4);
        Write(file, at + 4, 7, 4);
        Write(file, at + 8, offset, 8);
        Write(file, at + 16, address, 8);
        Write(file, at + 24, address, 8);
        Write(file, at + 32, size, 8);
        Write(file, at + 40, size, 8);
        Write(file, at + 48, 4, 8);
    }

    /// <summary>Writes a little-endian number of up to 8 bytes.</summary>
    public static void Write(byte[] file, int at, ulong value, int bytes)
    {
        Span<byte> all = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(all, value);
        all[..bytes].CopyTo(file.AsSpan(at));
    }
}
