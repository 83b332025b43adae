using Hatchway.SmallGuests;
using System.Buffers.Binary;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Lab.Tests;

/// <summary>Guests that move an interrupt to another vector or CPU while it arrives.</summary>
internal static partial class TinyGuest
{
    private const uint ApicCommand = 0xFEE0_0300;
    private const int TrampolineAt = 0x8000;
    private const int DescriptorsAt = 0x8120;
    private const int DataSelector = 0x18;
    private const int SecondCpuReadyAt = 0x20_5010;
    private const int SecondCpuDoneAt = 0x20_5020;
    private const int PerCpuAt = 0x20_5030;

    /// <summary>
    /// Gives an xHCI's MSI-X vector another message repeatedly: while unmasked, while masked with an interrupt pending, and while the CPU
    /// has not taken an interrupt yet. Each interrupt must come once, with the vector that was in force when it was delivered.
    /// </summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="rounds">The number of rounds, of three interrupts each.</param>
    public static byte[] MovingVectors(int slot, uint rounds) => Counting(
        (a, wrong) =>
        {
            const int One = FirstVector + 3;
            const int Other = FirstVector + 29;
            StartXhciMsix(a, slot, One);
            void Raise() => RaiseXhci(a);
            void Give(int vector) => a.mov(__dword_ptr[ebx + XhciTable + 8], vector);
            void Mask(int mask) => a.mov(__dword_ptr[ebx + XhciTable + 12], mask);
            Repeat(a, rounds, () =>
            {
                Once(a, One, Raise, wrong);
                Give(Other);
                Once(a, Other, Raise, wrong);
                Across(a, Other, Raise, () => Give(One), static () => { }, wrong);

                Mask(1);
                Raise();
                Raise();
                a.cmp(__dword_ptr[ebx + XhciPending], 1);
                a.jne(wrong);
                CompareCounts(a, wrong);
                Give(Other);
                Once(a, Other, () => Mask(0), wrong);
                a.cmp(__dword_ptr[ebx + XhciPending], 0);
                a.jne(wrong);
                Give(One);
            });
        },
        QuietXhci);

    /// <summary>
    /// One CPU makes an xHCI interrupt a number of times, each after the previous interrupt was taken. Meanwhile the other CPU moves the
    /// MSI-X vector to another CPU and another vector, every second time while masked. No interrupt may be lost or come twice, and both
    /// CPUs must get some.
    /// </summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="count">The number of interrupts.</param>
    public static byte[] MovingBetweenCpus(int slot, uint count) => BuildWithHandler((a, handlerAt) =>
    {
        var handler = a.CreateLabel();
        var wrong = a.CreateLabel();
        var second = a.CreateLabel();
        // Both CPUs begin here; the second has only a code segment so far.
        a.mov(eax, 1);
        a.cpuid();
        a.shr(ebx, 24);
        a.jne(second);
        a.mov(esp, StackAt);
        MaskLegacyControllers(a);
        LoadGates(a, handlerAt);
        Store(a, ApicSpuriousVector, 0x1FF);
        StartXhciMsix(a, slot, FirstVector);
        StartSecondCpu(a);
        RewriteMessages(a, wrong);

        a.Label(ref second);
        PrepareSecondCpu(a);
        RaiseAgainAndAgain(a, count, wrong);
        a.Label(ref wrong);
        a.cli();
        PrintCounts(a);
        Reset(a);
        Handler(a, ref handler, static a =>
        {
            a.mov(edi, ApicAddress + 0x20);
            a.mov(eax, __dword_ptr[edi]);
            a.shr(eax, 24);
            a.inc(__dword_ptr[(eax * 4) + PerCpuAt]);
        });
        return handler;
    });

    private static void StartXhciMsix(Assembler a, int slot, int vector)
    {
        StartXhci(a, slot);
        WriteEntry(a, vector);
        WriteConfig(a, slot, XhciMsix, 1u << 31);
        // QEMU's xHCI uses a vector only after a write to the interrupter's management register while MSI-X is on.
        QuietXhci(a);
    }

    // The first CPU's part, until the second is done. Each rewrite alternates the vector, and with it the CPU.
    private static void RewriteMessages(Assembler a, Label wrong)
    {
        var ready = a.CreateLabel();
        var again = a.CreateLabel();
        var unmasked = a.CreateLabel();
        a.Label(ref ready);
        a.cmp(__dword_ptr[SecondCpuReadyAt], 0);
        a.je(ready);
        a.sti();
        a.xor(ecx, ecx);
        a.Label(ref again);
        a.inc(ecx);
        a.test(ecx, 2);
        a.je(unmasked);
        a.mov(__dword_ptr[ebx + XhciTable + 12], 1);
        a.Label(ref unmasked);
        // Bits 12 to 19 are the destination (Intel SDM volume 3, 11.11.1).
        a.mov(eax, ecx);
        a.and(eax, 1);
        a.shl(eax, 12);
        a.or(eax, ApicAddress);
        a.mov(__dword_ptr[ebx + XhciTable], eax);
        a.mov(eax, ecx);
        a.and(eax, VectorCount - 1);
        a.add(eax, FirstVector);
        a.mov(__dword_ptr[ebx + XhciTable + 8], eax);
        a.mov(__dword_ptr[ebx + XhciTable + 12], 0);
        a.cmp(__dword_ptr[SecondCpuDoneAt], 0);
        a.je(again);
        // All came, none twice, and both CPUs got some.
        a.mov(eax, __dword_ptr[SecondCpuDoneAt]);
        a.cmp(eax, __dword_ptr[CounterAt]);
        a.jne(wrong);
        a.cmp(__dword_ptr[PerCpuAt], 0);
        a.je(wrong);
        a.cmp(__dword_ptr[PerCpuAt + 4], 0);
        a.je(wrong);
        PowerOff(a);
    }

    // The second CPU's part. When an interrupt does not come it resets the machine.
    private static void RaiseAgainAndAgain(Assembler a, uint count, Label wrong)
    {
        var again = a.CreateLabel();
        var wait = a.CreateLabel();
        var came = a.CreateLabel();
        var halted = a.CreateLabel();
        a.mov(ebx, Bar0At);
        a.xor(esi, esi);
        a.inc(__dword_ptr[SecondCpuReadyAt]);
        a.sti();
        a.Label(ref again);
        RaiseXhci(a);
        a.inc(esi);
        a.mov(eax, Patience);
        a.Label(ref wait);
        a.cmp(esi, __dword_ptr[CounterAt]);
        a.je(came);
        a.dec(eax);
        a.jne(wait);
        a.jmp(wrong);
        a.Label(ref came);
        a.cmp(esi, count);
        a.jne(again);
        a.mov(__dword_ptr[SecondCpuDoneAt], esi);
        a.Label(ref halted);
        a.hlt();
        a.jmp(halted);
    }

    // INIT and start-up to the CPU with APIC ID 1 (Intel SDM volume 3, 9.4.4.1).
    private static void StartSecondCpu(Assembler a)
    {
        var code = Trampoline();
        for (var at = 0; at < code.Length; at += 4)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(code.AsSpan(at)) is var dword and not 0)
                a.mov(__dword_ptr[TrampolineAt + at], dword);
        }
        Store(a, ApicCommand + 0x10, 1 << 24);
        Store(a, ApicCommand, 0x4500);
        Store(a, ApicCommand, 0x4600 | (TrampolineAt >> 12));
    }

    private static void PrepareSecondCpu(Assembler a)
    {
        a.mov(ax, DataSelector);
        a.mov(ds, ax);
        a.mov(es, ax);
        a.mov(ss, ax);
        a.mov(esp, StackAt + 0x8000);
        a.lidt(__[IdtPointerAt]);
        Store(a, ApicSpuriousVector, 0x1FF);
    }

    // Goes from real mode at 0800:0000 to 32-bit code at the guest's start, with descriptors like those of the first CPU.
    private static byte[] Trampoline()
    {
        const int TablePointer = 0x100;
        var bytes = new byte[DescriptorsAt - TrampolineAt + 32];
        ReadOnlySpan<byte> code =
        [
            0xFA,                                           // cli
            0x31, 0xC0, 0x8E, 0xD8,                         // xor ax, ax; mov ds, ax
            0x0F, 0x01, 0x16, 0x00, 0x81,                   // lgdt [8100h]
            0x0F, 0x20, 0xC0, 0x0C, 0x01, 0x0F, 0x22, 0xC0, // mov eax, cr0; or al, 1; mov cr0, eax
            0x66, 0xEA,                                     // jmp 10h:LoadAt
        ];
        code.CopyTo(bytes);
        PvhKernel.Write(bytes, code.Length, PvhKernel.LoadAt, 4);
        PvhKernel.Write(bytes, code.Length + 4, CodeSelector, 2);
        PvhKernel.Write(bytes, TablePointer, 31, 2);
        PvhKernel.Write(bytes, TablePointer + 2, DescriptorsAt, 4);
        PvhKernel.Write(bytes, DescriptorsAt - TrampolineAt + CodeSelector, 0x00CF_9B00_0000_FFFF, 8);
        PvhKernel.Write(bytes, DescriptorsAt - TrampolineAt + DataSelector, 0x00CF_9300_0000_FFFF, 8);
        return bytes;
    }
}
