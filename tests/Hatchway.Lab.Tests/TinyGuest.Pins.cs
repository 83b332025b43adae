using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Lab.Tests;

/// <summary>A guest with a function on each of a slot's four pins.</summary>
internal static partial class TinyGuest
{
    private const int FrameList = 0x50_0000;
    private const int Transfer = 0x50_2000;
    private const uint UhciPortsAt = 0xC000;
    private const int UhciStride = 0x40;
    private const int UhciStatus = 2;
    private const int EhciStatus = 0x24;

    /// <summary>
    /// Starts three UHCI controllers and an EHCI, functions 0, 1, 2 and 7 of a slot, one after the other: each must interrupt through its
    /// pin's input, and be quiet when it is stopped.
    /// </summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="times">The number of interrupts of each.</param>
    public static byte[] InterruptedByFourPins(int slot, uint times) => Counting(
        (a, wrong) =>
        {
            const int FrameListEntries = 1024;
            var next = a.CreateLabel();
            for (var pin = 1; pin <= 4; pin++)
                RouteIntx(a, 16 + ((slot + pin - 1) % 8), FirstVector + pin);
            // Each frame holds one completed transfer that asks for an interrupt (UHCI 1.1, 3.1 and 3.2).
            a.mov(__dword_ptr[Transfer], 1);
            a.mov(__dword_ptr[Transfer + 4], 1 << 24);
            a.mov(edi, FrameList);
            a.Label(ref next);
            a.mov(__dword_ptr[edi], Transfer);
            a.add(edi, 4);
            a.cmp(edi, FrameList + (FrameListEntries * 4));
            a.jne(next);
            for (var function = 0; function < 3; function++)
                RunUhci(a, slot, function, times, wrong);
            RunEhci(a, slot, wrong);
            CompareCounts(a, wrong);
            PowerOff(a);
        },
        QuietUsb);

    // The register's address tells which controller interrupted.
    private static void QuietUsb(Assembler a)
    {
        var memory = a.CreateLabel();
        var quiet = a.CreateLabel();
        a.cmp(ebx, 0x1_0000);
        a.jae(memory);
        a.lea(edx, __[ebx + UhciStatus]);
        a.mov(ax, 0x3F);
        a.@out(dx, ax);
        a.jmp(quiet);
        a.Label(ref memory);
        a.mov(__dword_ptr[ebx + EhciStatus], 0x3F);
        a.Label(ref quiet);
        a.nop();
    }

    private static void RunUhci(Assembler a, int slot, int function, uint times, Label wrong)
    {
        const int Command = 0;
        const int Enable = 4;
        const int FrameBase = 8;
        const uint OnCompletion = 4;
        CheckPin(a, slot, function, function + 1, wrong);
        WriteConfig(a, slot, 0x20, UhciPortsAt + (uint)(function * UhciStride), function);
        WriteConfig(a, slot, 4, 5, function);
        a.mov(ebx, UhciPortsAt + (uint)(function * UhciStride));
        Out(a, FrameBase, () => { a.mov(eax, FrameList); a.@out(dx, eax); });
        Out(a, Enable, () => { a.mov(eax, OnCompletion); a.@out(dx, ax); });
        Out(a, Command, () => { a.mov(eax, 1); a.@out(dx, ax); });
        a.sti();
        AwaitPin(a, function + 1, times, wrong);
        a.cli();
        Out(a, Command, () => { a.xor(eax, eax); a.@out(dx, ax); });
        Out(a, Enable, () => { a.xor(eax, eax); a.@out(dx, ax); });
        SettlePin(a, function + 1);
    }

    // The frame index starts shortly before its rollover (EHCI 1.0, 2.3).
    private static void RunEhci(Assembler a, int slot, Label wrong)
    {
        const int Function = 7;
        const int Command = 0x20;
        const int Enable = 0x28;
        const int FrameIndex = 0x2C;
        const int PeriodicList = 0x34;
        const uint RunPeriodic = 0x11;
        const uint FrameListRollover = 8;
        var next = a.CreateLabel();
        CheckPin(a, slot, Function, 4, wrong);
        // Every entry of the frame list is a terminator.
        a.mov(edi, FrameList);
        a.Label(ref next);
        a.mov(__dword_ptr[edi], 1);
        a.add(edi, 4);
        a.cmp(edi, FrameList + 4096);
        a.jne(next);
        WriteConfig(a, slot, 0x10, Bar0At, Function);
        WriteConfig(a, slot, 4, 6, Function);
        a.mov(ebx, Bar0At);
        a.mov(__dword_ptr[ebx + PeriodicList], FrameList);
        a.mov(__dword_ptr[ebx + FrameIndex], 0x1FC0);
        a.mov(__dword_ptr[ebx + Enable], FrameListRollover);
        a.mov(__dword_ptr[ebx + Command], RunPeriodic);
        a.sti();
        AwaitPin(a, 4, 1, wrong);
        a.cli();
        a.mov(__dword_ptr[ebx + Command], 0);
        a.mov(__dword_ptr[ebx + Enable], 0);
        SettlePin(a, 4);
    }

    private static void CheckPin(Assembler a, int slot, int function, int pin, Label wrong)
    {
        ReadConfig(a, slot, 0x3C, function);
        a.cmp(ah, (byte)pin);
        a.jne(wrong);
    }

    private static void Out(Assembler a, int register, Action write)
    {
        a.lea(edx, __[ebx + register]);
        write();
    }

    private static void AwaitPin(Assembler a, int pin, uint times, Label wrong)
    {
        var wait = a.CreateLabel();
        var came = a.CreateLabel();
        a.mov(ecx, Patience);
        a.Label(ref wait);
        a.cmp(__dword_ptr[ByVectorAt + (pin * 4)], times);
        a.jae(came);
        a.dec(ecx);
        a.jne(wait);
        a.jmp(wrong);
        a.Label(ref came);
    }

    // One interrupt may be under way when the function is stopped; any after that is an error.
    private static void SettlePin(Assembler a, int pin)
    {
        QuietUsb(a);
        a.sti();
        a.nop();
        a.nop();
        a.mov(eax, __dword_ptr[ByVectorAt + (pin * 4)]);
        a.mov(__dword_ptr[ExpectedAt + (pin * 4)], eax);
    }
}
