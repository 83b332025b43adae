using System.Buffers.Binary;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Lab.Tests;

/// <summary>A guest of a few instructions as an ELF file with a PVH entry, in 32-bit protected mode (xen/include/public/arch-x86/hvm/start_info.h).</summary>
internal static partial class TinyGuest
{
    private const uint LoadAt = 0x10_0000;
    private const int HeaderBytes = 64;
    private const int ProgramHeaderBytes = 56;
    private const int NoteBytes = 20;
    private const uint Phys32Entry = 18;

    /// <summary>
    /// Switches on memory decoding of the function in a slot, reads a dword of BAR0 as often as asked, and powers off by ACPI; on a value
    /// other than the expected one it resets instead.
    /// </summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="reads">How often; 0 means without end.</param>
    /// <param name="expected">What each read must give.</param>
    /// <param name="offset">Bytes from BAR0's start.</param>
    public static byte[] ReadingBar0(int slot, uint reads, uint expected, int offset = 0) => Build(a =>
    {
        var again = a.CreateLabel();
        var wrong = a.CreateLabel();
        WriteConfig(a, slot, 4, 2);
        ReadConfig(a, slot, 0x10);
        a.and(eax, -16);
        a.mov(ebx, eax);
        a.mov(ecx, reads);
        a.Label(ref again);
        a.mov(eax, __dword_ptr[ebx + offset]);
        a.cmp(eax, expected);
        a.jne(wrong);
        a.dec(ecx);
        a.jne(again);
        PowerOff(a);
        a.Label(ref wrong);
        Reset(a);
    });

    /// <summary>
    /// Compares the first 256 bytes of config space with a part of BAR0, then writes the command register there: sets bus mastering, which
    /// config space must show, and switches decoding off, after which the BAR must read as all ones. Powers off, or resets on a difference.
    /// </summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="mirror">Where in BAR0 config space is shown.</param>
    public static byte[] ComparingMirror(int slot, int mirror) => Build(a =>
    {
        var next = a.CreateLabel();
        var wrong = a.CreateLabel();
        WriteConfig(a, slot, 4, 2);
        ReadConfig(a, slot, 0x10);
        a.and(eax, -16);
        a.mov(ebx, eax);
        a.xor(ecx, ecx);
        a.Label(ref next);
        a.mov(dx, 0xCF8);
        a.mov(eax, 0x8000_0000u | ((uint)slot << 11));
        a.or(eax, ecx);
        a.@out(dx, eax);
        a.mov(dx, 0xCFC);
        a.@in(eax, dx);
        a.cmp(eax, __dword_ptr[ebx + ecx + mirror]);
        a.jne(wrong);
        a.add(ecx, 4);
        a.cmp(ecx, 0x100);
        a.jne(next);
        a.cmp(__word_ptr[ebx + mirror], 0x1234);
        a.jne(wrong);
        a.mov(__word_ptr[ebx + mirror + 4], 6);
        ReadConfig(a, slot, 4);
        a.cmp(ax, 6);
        a.jne(wrong);
        a.mov(__byte_ptr[ebx + mirror + 4], 0);
        a.cmp(__dword_ptr[ebx], -1);
        a.jne(wrong);
        PowerOff(a);
        a.Label(ref wrong);
        Reset(a);
    });

    /// <summary>Has QEMU's edu device write four bytes to an address by DMA, waits until it is done, and powers off (QEMU docs/specs/edu.rst).</summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="address">Where to, as the device sees it.</param>
    public static byte[] WritingByDma(int slot, uint address) => Build(a =>
    {
        const int Source = 0x80;
        const int Destination = 0x88;
        const int Count = 0x90;
        const int Control = 0x98;
        const int Buffer = 0x4_0000;
        const int StartToMemory = 0b11;
        var busy = a.CreateLabel();
        WriteConfig(a, slot, 4, 6);
        ReadConfig(a, slot, 0x10);
        a.and(eax, -16);
        a.mov(ebx, eax);
        a.mov(__dword_ptr[ebx + Source], Buffer);
        a.mov(__dword_ptr[ebx + Destination], address);
        a.mov(__dword_ptr[ebx + Count], 4);
        a.mov(__dword_ptr[ebx + Control], StartToMemory);
        a.Label(ref busy);
        a.mov(eax, __dword_ptr[ebx + Control]);
        a.test(al, 1);
        a.jne(busy);
        PowerOff(a);
    });

    /// <summary>Powers off by ACPI and does nothing else.</summary>
    public static byte[] PoweringOff() => Build(PowerOff);

    private static void Reset(Assembler a)
    {
        a.mov(dx, 0xCF9);
        a.mov(al, 6);
        a.@out(dx, al);
        a.hlt();
    }

    // PM1a control: SLP_TYP 5 and SLP_EN.
    private static void PowerOff(Assembler a)
    {
        a.mov(dx, 0x604);
        a.mov(ax, 0x3400);
        a.@out(dx, ax);
        a.hlt();
    }

    private static void WriteConfig(Assembler a, int slot, byte register, uint value, int function = 0)
    {
        SelectConfig(a, slot, register, function);
        a.mov(dx, 0xCFC);
        a.mov(eax, value);
        a.@out(dx, eax);
    }

    private static void ReadConfig(Assembler a, int slot, byte register, int function = 0)
    {
        SelectConfig(a, slot, register, function);
        a.mov(dx, 0xCFC);
        a.@in(eax, dx);
    }

    private static void SelectConfig(Assembler a, int slot, byte register, int function)
    {
        a.mov(dx, 0xCF8);
        a.mov(eax, 0x8000_0000u | ((uint)slot << 11) | ((uint)function << 8) | register);
        a.@out(dx, eax);
    }

    private static byte[] Build(Action<Assembler> code)
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

    private static void Write(byte[] file, int at, ulong value, int bytes)
    {
        Span<byte> all = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(all, value);
        all[..bytes].CopyTo(file.AsSpan(at));
    }
}
