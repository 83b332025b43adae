using Hatchway.SmallGuests;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Lab.Tests;

internal static partial class TinyGuest
{
    private const int IdtAt = 0x20_0000;
    private const int IdtPointerAt = 0x20_1000;
    private const int CounterAt = 0x20_2000;
    private const byte Vector = 0x40;

    // The code selector that the guest starts with.
    private const int CodeSelector = 0x10;

    // Local APIC and I/O APIC (Intel SDM volume 3, table 11-1; 82093AA data sheet).
    private const uint ApicEndOfInterrupt = 0xFEE0_00B0;
    private const uint ApicSpuriousVector = 0xFEE0_00F0;
    private const uint IoApicSelect = 0xFEC0_0000;
    private const uint IoApicWindow = 0xFEC0_0010;

    // QEMU's edu device (docs/specs/edu.rst).
    private const int EduRaise = 0x60;
    private const int EduAcknowledge = 0x64;
    private const byte EduMsi = 0x40;

    /// <summary>
    /// Makes edu interrupt by MSI a number of times, each after the previous interrupt was taken, and powers off. A lost interrupt leaves
    /// the guest waiting for ever.
    /// </summary>
    public static byte[] InterruptedByMsi(int slot, uint count) => Interrupted(slot, count, a =>
    {
        WriteConfig(a, slot, EduMsi + 4, 0xFEE0_0000);
        WriteConfig(a, slot, EduMsi + 8, 0);
        WriteConfig(a, slot, EduMsi + 12, Vector);
        // The enable bit is the lowest of the control word, which is the upper half of the capability's first dword.
        WriteConfig(a, slot, EduMsi, 1 << 16);
    });

    /// <summary>The same with the interrupt pin, level-triggered: the handler quiets the device before it ends the interrupt.</summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="input">The I/O APIC input of the pin.</param>
    /// <param name="count">The number of interrupts.</param>
    public static byte[] InterruptedByIntx(int slot, int input, uint count) => Interrupted(slot, count, a =>
    {
        const uint LevelTriggered = 1 << 15;
        WriteIoApic(a, 0x11 + (2 * input), 0);
        WriteIoApic(a, 0x10 + (2 * input), LevelTriggered | Vector);
    });

    private static byte[] Interrupted(int slot, uint count, Action<Assembler> route) =>
        BuildWithHandler((a, handlerAt) => Write(a, slot, count, route, handlerAt));

    // In 32-bit code a label is not an operand: the first pass finds the handler's address, and the second writes it into the table.
    private static byte[] BuildWithHandler(Func<Assembler, uint, Label> write)
    {
        var first = new Assembler(32);
        var handler = write(first, 0);
        var result = first.Assemble(new StreamCodeWriter(Stream.Null), PvhKernel.LoadAt, BlockEncoderOptions.ReturnNewInstructionOffsets);
        var handlerAt = (uint)result.GetLabelRIP(handler);
        return Build(a => write(a, handlerAt));
    }

    private static Label Write(Assembler a, int slot, uint count, Action<Assembler> route, uint handlerAt)
    {
        var handler = a.CreateLabel();
        var again = a.CreateLabel();
        var wait = a.CreateLabel();
        MaskLegacyControllers(a);
        LoadIdt(a, handlerAt);
        Store(a, ApicSpuriousVector, 0x1FF);
        // Memory decoding and bus mastering; without the latter no message leaves the device.
        WriteConfig(a, slot, 4, 6);
        ReadConfig(a, slot, 0x10);
        a.and(eax, -16);
        a.mov(ebx, eax);
        route(a);
        a.mov(ecx, count);
        a.sti();
        a.Label(ref again);
        a.mov(esi, __dword_ptr[CounterAt]);
        a.mov(__dword_ptr[ebx + EduRaise], 1);
        a.Label(ref wait);
        a.cmp(esi, __dword_ptr[CounterAt]);
        a.je(wait);
        a.dec(ecx);
        a.jne(again);
        PowerOff(a);

        a.Label(ref handler);
        a.mov(__dword_ptr[ebx + EduAcknowledge], 1);
        a.inc(__dword_ptr[CounterAt]);
        a.mov(edi, ApicEndOfInterrupt);
        a.mov(__dword_ptr[edi], 0);
        a.iretd();
        return handler;
    }

    private static void MaskLegacyControllers(Assembler a)
    {
        a.mov(al, 0xFF);
        a.@out(0x21, al);
        a.@out(0xA1, al);
    }

    // One interrupt gate; the table ends right after it.
    private static void LoadIdt(Assembler a, uint handlerAt)
    {
        const int Gate = IdtAt + (Vector * 8);
        a.mov(eax, (handlerAt & 0xFFFF) | (CodeSelector << 16));
        a.mov(__dword_ptr[Gate], eax);
        a.mov(eax, (handlerAt & 0xFFFF_0000) | 0x8E00);
        a.mov(__dword_ptr[Gate + 4], eax);
        a.mov(__word_ptr[IdtPointerAt], (Vector * 8) + 7);
        a.mov(__dword_ptr[IdtPointerAt + 2], IdtAt);
        a.lidt(__[IdtPointerAt]);
    }

    private static void WriteIoApic(Assembler a, int register, uint value)
    {
        Store(a, IoApicSelect, (uint)register);
        Store(a, IoApicWindow, value);
    }

    private static void Store(Assembler a, uint address, uint value)
    {
        a.mov(edi, address);
        a.mov(__dword_ptr[edi], value);
    }
}
