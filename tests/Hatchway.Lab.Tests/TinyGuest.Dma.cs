using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Lab.Tests;

// DMA by QEMU's edu device (QEMU docs/specs/edu.rst).
internal static partial class TinyGuest
{
    private const int EduBuffer = 0x4_0000;
    private const int EduStartFromMemory = 0b01;
    private const int EduStartToMemory = 0b11;

    /// <summary>Makes edu write four bytes to an address by DMA, waits until it is done, and powers off.</summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="address">The address that the device uses.</param>
    public static byte[] WritingByDma(int slot, uint address) => Build(a =>
    {
        StartEdu(a, slot);
        a.mov(edi, address);
        CopyByEdu(a, EduStartToMemory);
        PowerOff(a);
    });

    /// <summary>
    /// Makes edu copy from RAM into the memory of another device's BAR2, and from there to RAM, and powers off; when the copy differs, it
    /// resets instead.
    /// </summary>
    /// <param name="slot">Edu's device number on bus 0.</param>
    /// <param name="peer">The other device's number.</param>
    public static byte[] CopyingIntoPeer(int slot, int peer) => Build(a =>
    {
        const uint Ram = 0x0100_0000;
        var wrong = a.CreateLabel();
        WriteConfig(a, peer, 4, 2);
        ReadConfig(a, peer, 0x18);
        a.and(eax, -16);
        a.mov(esi, eax);
        StartEdu(a, slot);
        a.mov(__dword_ptr[Ram], 0x600D_DA7A);
        a.mov(edi, Ram);
        CopyByEdu(a, EduStartFromMemory);
        a.lea(edi, __[esi + 0x100]);
        CopyByEdu(a, EduStartToMemory);
        a.cmp(__dword_ptr[esi + 0x100], 0x600D_DA7A);
        a.jne(wrong);
        a.mov(__dword_ptr[esi + 0x8000], 0x0BAD_CAFE);
        a.lea(edi, __[esi + 0x8000]);
        CopyByEdu(a, EduStartFromMemory);
        a.mov(edi, Ram + 4);
        CopyByEdu(a, EduStartToMemory);
        a.cmp(__dword_ptr[Ram + 4], 0x0BAD_CAFE);
        a.jne(wrong);
        PowerOff(a);
        a.Label(ref wrong);
        Reset(a);
    });

    // Leaves the address of edu's registers in ebx.
    private static void StartEdu(Assembler a, int slot)
    {
        WriteConfig(a, slot, 4, 6);
        ReadConfig(a, slot, 0x10);
        a.and(eax, -16);
        a.mov(ebx, eax);
    }

    // Copies four bytes between edu's buffer and the address in edi.
    private static void CopyByEdu(Assembler a, int command)
    {
        const int Source = 0x80;
        const int Destination = 0x88;
        const int Count = 0x90;
        const int Control = 0x98;
        var busy = a.CreateLabel();
        var isToMemory = command == EduStartToMemory;
        a.mov(__dword_ptr[ebx + (isToMemory ? Source : Destination)], EduBuffer);
        a.mov(__dword_ptr[ebx + (isToMemory ? Destination : Source)], edi);
        a.mov(__dword_ptr[ebx + Count], 4);
        a.mov(__dword_ptr[ebx + Control], command);
        a.Label(ref busy);
        a.mov(eax, __dword_ptr[ebx + Control]);
        a.test(al, 1);
        a.jne(busy);
    }
}
