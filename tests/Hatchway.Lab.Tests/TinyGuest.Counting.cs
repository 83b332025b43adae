using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Lab.Tests;

/// <summary>The common part of guests that count interrupts by their vectors.</summary>
internal static partial class TinyGuest
{
    // The counted vectors: those of one in-service register of the local APIC.
    private const byte FirstVector = 0x40;
    private const int VectorCount = 32;
    private const int StackAt = 0x1F_0000;

    // Tables of how many interrupts of each vector came, and how many were expected.
    private const int ByVectorAt = 0x20_3000;
    private const int ExpectedAt = 0x20_4000;

    // In-service bits of vectors 40h to 5Fh (Intel SDM volume 3, table 11-1).
    private const uint ApicInService = 0xFEE0_0120;
    private const uint ApicAddress = 0xFEE0_0000;
    private const int SerialPort = 0x3F8;

    // Iterations of a waiting loop: seconds, where an interrupt takes far less than a millisecond.
    private const uint Patience = 1u << 30;

    // BAR0's address, in 32-bit code's reach: in PCI's window, which begins at 3 GiB.
    private const uint Bar0At = 0xD000_0000;
    private const uint BarStride = 0x0100_0000;

    /// <summary>A guest that counts interrupts. It succeeds when <paramref name="main"/> powers off;
    /// at <c>wrong</c> it prints its counts, and resets.</summary>
    /// <param name="main">The guest's code; interrupts are off at first.</param>
    /// <param name="quiet">The handler's code to quiet the device; ebx is the guest's own.</param>
    private static byte[] Counting(Action<Assembler, Label> main, Action<Assembler> quiet) => BuildWithHandler((a, handlerAt) =>
    {
        var handler = a.CreateLabel();
        var wrong = a.CreateLabel();
        a.mov(esp, StackAt);
        MaskLegacyControllers(a);
        LoadGates(a, handlerAt);
        Store(a, ApicSpuriousVector, 0x1FF);
        main(a, wrong);
        a.Label(ref wrong);
        a.cli();
        PrintCounts(a);
        Reset(a);
        Handler(a, ref handler, quiet);
        return handler;
    });

    private static void Handler(Assembler a, ref Label handler, Action<Assembler> quiet)
    {
        a.Label(ref handler);
        a.pushad();
        quiet(a);
        a.mov(edi, ApicInService);
        a.bsr(eax, __dword_ptr[edi]);
        a.@lock.inc(__dword_ptr[(eax * 4) + ByVectorAt]);
        a.@lock.inc(__dword_ptr[CounterAt]);
        a.mov(edi, ApicEndOfInterrupt);
        a.mov(__dword_ptr[edi], 0);
        a.popad();
        a.iretd();
    }

    private static void LoadGates(Assembler a, uint handlerAt)
    {
        var next = a.CreateLabel();
        a.mov(eax, (handlerAt & 0xFFFF) | (CodeSelector << 16));
        a.mov(edx, (handlerAt & 0xFFFF_0000) | 0x8E00);
        a.mov(edi, IdtAt + (FirstVector * 8));
        a.mov(ecx, VectorCount);
        a.Label(ref next);
        a.mov(__dword_ptr[edi], eax);
        a.mov(__dword_ptr[edi + 4], edx);
        a.add(edi, 8);
        a.dec(ecx);
        a.jne(next);
        a.mov(__word_ptr[IdtPointerAt], ((FirstVector + VectorCount) * 8) - 1);
        a.mov(__dword_ptr[IdtPointerAt + 2], IdtAt);
        a.lidt(__[IdtPointerAt]);
    }

    // Expects one more interrupt of a vector.
    private static void Expect(Assembler a, int vector)
    {
        a.inc(__dword_ptr[ExpectedAt + ((vector - FirstVector) * 4)]);
        a.inc(esi);
    }

    // Waits until as many interrupts have come as esi says, and checks that they have the expected vectors.
    private static void AwaitExpected(Assembler a, Label wrong)
    {
        var wait = a.CreateLabel();
        var came = a.CreateLabel();
        a.mov(eax, Patience);
        a.Label(ref wait);
        a.cmp(esi, __dword_ptr[CounterAt]);
        a.je(came);
        a.dec(eax);
        a.jne(wait);
        a.jmp(wrong);
        a.Label(ref came);
        CompareCounts(a, wrong);
    }

    private static void CompareCounts(Assembler a, Label wrong)
    {
        var next = a.CreateLabel();
        a.mov(edx, VectorCount - 1);
        a.Label(ref next);
        a.mov(eax, __dword_ptr[(edx * 4) + ByVectorAt]);
        a.cmp(eax, __dword_ptr[(edx * 4) + ExpectedAt]);
        a.jne(wrong);
        a.dec(edx);
        a.jns(next);
    }

    // Places a function's BAR0, of 32 or 64 bits, and enables memory decoding and bus mastering; leaves its address in ebx.
    private static void PlaceBar0(Assembler a, int slot, bool is64Bit, uint address = Bar0At)
    {
        WriteConfig(a, slot, 4, 0);
        WriteConfig(a, slot, 0x10, address);
        if (is64Bit)
            WriteConfig(a, slot, 0x14, 0);
        WriteConfig(a, slot, 4, 6);
        a.mov(ebx, address);
    }

    private static void RouteIntx(Assembler a, int input, int vector)
    {
        const uint LevelTriggered = 1 << 15;
        WriteIoApic(a, 0x11 + (2 * input), 0);
        WriteIoApic(a, 0x10 + (2 * input), LevelTriggered | (uint)vector);
    }

    // Checks that a dword of config space, masked, has a value.
    private static void CheckConfig(Assembler a, int slot, byte register, uint mask, uint value, Label wrong)
    {
        ReadConfig(a, slot, register);
        a.and(eax, mask);
        a.cmp(eax, value);
        a.jne(wrong);
    }

    // Prints each vector's count and the expected one, in hexadecimal, on the serial port.
    private static void PrintCounts(Assembler a)
    {
        var next = a.CreateLabel();
        a.xor(ebp, ebp);
        a.Label(ref next);
        Print(a, "count ");
        PrintHex(a, () => a.lea(ecx, __[ebp + FirstVector]));
        PrintHex(a, () => a.mov(ecx, __dword_ptr[(ebp * 4) + ByVectorAt]));
        Print(a, "of ");
        PrintHex(a, () => a.mov(ecx, __dword_ptr[(ebp * 4) + ExpectedAt]));
        Print(a, "\n");
        a.inc(ebp);
        a.cmp(ebp, VectorCount);
        a.jne(next);
    }

    private static void Print(Assembler a, string text)
    {
        a.mov(dx, SerialPort);
        foreach (var letter in text)
        {
            a.mov(al, (byte)letter);
            a.@out(dx, al);
        }
    }

    private static void PrintHex(Assembler a, Action load)
    {
        var digit = a.CreateLabel();
        var small = a.CreateLabel();
        load();
        a.mov(edi, 8);
        a.mov(dx, SerialPort);
        a.Label(ref digit);
        a.rol(ecx, 4);
        a.mov(al, cl);
        a.and(al, 15);
        a.add(al, (byte)'0');
        a.cmp(al, (byte)'9');
        a.jbe(small);
        a.add(al, 'a' - '9' - 1);
        a.Label(ref small);
        a.@out(dx, al);
        a.dec(edi);
        a.jne(digit);
        Print(a, " ");
    }
}
