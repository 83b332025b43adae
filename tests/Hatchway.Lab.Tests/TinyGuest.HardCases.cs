using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Lab.Tests;

internal static partial class TinyGuest
{
    private const uint Ecam = 0xE000_0000;

    /// <summary>
    /// Writes ones and zeros to each dword of BAR0's page beyond the BAR and reads it back, and powers off; on a read other than all ones
    /// it resets instead.
    /// </summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="barBytes">The BAR's size.</param>
    public static byte[] ReachingBeyondBar0(int slot, int barBytes) => Build(a =>
    {
        var next = a.CreateLabel();
        var wrong = a.CreateLabel();
        WriteConfig(a, slot, 4, 2);
        ReadConfig(a, slot, 0x10);
        a.and(eax, -16);
        a.mov(ebx, eax);
        a.mov(ecx, barBytes);
        a.Label(ref next);
        a.cmp(__dword_ptr[ebx + ecx], -1);
        a.jne(wrong);
        a.mov(__dword_ptr[ebx + ecx], 0);
        a.mov(__byte_ptr[ebx + ecx + 1], 0x5A);
        a.cmp(__dword_ptr[ebx + ecx], -1);
        a.jne(wrong);
        a.add(ecx, 4);
        a.cmp(ecx, 4096);
        a.jb(next);
        PowerOff(a);
        a.Label(ref wrong);
        Reset(a);
    });

    /// <summary>
    /// Writes pseudo-random values of 1, 2 and 4 bytes all over a function's config space, alternately through the ports and the ECAM, and
    /// resets.
    /// </summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="writes">The number of writes.</param>
    /// <param name="seed">Not 0. The same seed gives the same writes.</param>
    public static byte[] WritingConfigAtRandom(int slot, uint writes, uint seed) => Build(a =>
    {
        var again = a.CreateLabel();
        var ports = a.CreateLabel();
        var done = a.CreateLabel();
        a.mov(esi, seed);
        a.mov(ecx, writes);
        a.Label(ref again);
        // ebx has the value; the bits of esi decide where and how it is written.
        NextRandom(a);
        a.mov(ebx, esi);
        NextRandom(a);
        a.test(esi, 1 << 20);
        a.jne(ports);
        a.mov(edi, esi);
        a.and(edi, 0xFFF);
        a.add(edi, Ecam + ((uint)slot << 15));
        ByWidth(
            a,
            done,
            () => a.mov(__byte_ptr[edi], bl),
            () => a.mov(__word_ptr[edi], bx),
            () => a.mov(__dword_ptr[edi], ebx));
        a.Label(ref ports);
        a.mov(edi, esi);
        a.and(edi, 0xFF);
        a.mov(eax, edi);
        a.and(eax, 0xFC);
        a.or(eax, 0x8000_0000u | ((uint)slot << 11));
        a.mov(dx, 0xCF8);
        a.@out(dx, eax);
        a.mov(edx, edi);
        a.and(edx, 3);
        a.add(edx, 0xCFC);
        a.mov(edi, edx);
        a.mov(eax, ebx);
        ByWidth(
            a,
            done,
            () => PortOut(a, () => a.@out(dx, al)),
            () => PortOut(a, () => a.@out(dx, ax)),
            () => PortOut(a, () => a.@out(dx, eax)));
        a.Label(ref done);
        a.dec(ecx);
        a.jne(again);
        Reset(a);
    });

    private static void PortOut(Assembler a, Action write)
    {
        a.mov(edx, edi);
        write();
    }

    // Makes one of three accesses, chosen by bits of esi, after aligning the address in edi to its width.
    private static void ByWidth(Assembler a, Label then, Action one, Action two, Action four)
    {
        var notByte = a.CreateLabel();
        var notWord = a.CreateLabel();
        a.test(esi, 1 << 21);
        a.jne(notByte);
        one();
        a.jmp(then);
        a.Label(ref notByte);
        a.test(esi, 1 << 22);
        a.jne(notWord);
        a.and(edi, -2);
        two();
        a.jmp(then);
        a.Label(ref notWord);
        a.and(edi, -4);
        four();
        a.jmp(then);
    }

    // Marsaglia's xorshift with 13, 17 and 5, in esi.
    private static void NextRandom(Assembler a)
    {
        a.mov(eax, esi);
        a.shl(eax, 13);
        a.xor(esi, eax);
        a.mov(eax, esi);
        a.shr(eax, 17);
        a.xor(esi, eax);
        a.mov(eax, esi);
        a.shl(eax, 5);
        a.xor(esi, eax);
    }
}
