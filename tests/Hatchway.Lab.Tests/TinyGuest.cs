using Hatchway.SmallGuests;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Lab.Tests;

/// <summary>Guests of a few instructions, as ELF files with a PVH entry, in 32-bit protected mode
/// (xen/include/public/arch-x86/hvm/start_info.h).</summary>
internal static partial class TinyGuest
{
    /// <summary>
    /// Enables memory decoding of the function in a slot, reads a dword of BAR0 a number of times, and powers off by ACPI; when it reads
    /// another value than the expected one, it resets instead.
    /// </summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="reads">The number of reads; 0 means for ever.</param>
    /// <param name="expected">The value that each read must give.</param>
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
    /// Compares the first 256 bytes of config space with a part of BAR0, then writes the command register there: it sets bus mastering,
    /// which config space must show, and disables decoding, after which the BAR must read as all ones. Powers off, or resets on a
    /// difference.
    /// </summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="mirror">The offset in BAR0 where config space is mirrored.</param>
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

    /// <summary>
    /// Prints on the first serial port a digit for a register of each device, '0' when it has its initial value and '1' otherwise, and a
    /// line feed; then writes registers and resets the machine.
    /// </summary>
    /// <param name="registers">Device number on bus 0, offset in BAR0, the initial value, and the writes to BAR0.</param>
    public static byte[] ReportingAndResetting(params (int Slot, int Offset, uint First, (int Offset, uint Value)[] Writes)[] registers) =>
        Build(a =>
        {
            foreach (var (slot, offset, first, writes) in registers)
            {
                var known = a.CreateLabel();
                WriteConfig(a, slot, 4, 2);
                ReadConfig(a, slot, 0x10);
                a.and(eax, -16);
                a.mov(ebx, eax);
                a.mov(ecx, '0');
                a.cmp(__dword_ptr[ebx + offset], first);
                a.je(known);
                a.mov(ecx, '1');
                a.Label(ref known);
                foreach (var (at, value) in writes)
                    a.mov(__dword_ptr[ebx + at], value);
                Say(a, cl);
            }
            a.mov(ecx, '\n');
            Say(a, cl);
            Reset(a);
        });

    private static void Say(Assembler a, AssemblerRegister8 character)
    {
        a.mov(dx, 0x3F8);
        a.mov(al, character);
        a.@out(dx, al);
    }

    /// <summary>Powers off by ACPI at once.</summary>
    public static byte[] PoweringOff() => Build(PowerOff);

    private static void Reset(Assembler a)
    {
        a.mov(dx, 0xCF9);
        a.mov(al, 6);
        a.@out(dx, al);
        a.hlt();
    }

    // PM1a control: SLP_TYP 0 and SLP_EN.
    private static void PowerOff(Assembler a)
    {
        a.mov(dx, 0x604);
        a.mov(ax, 0x2000);
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

    private static byte[] Build(Action<Assembler> code) => PvhKernel.Build(code);
}
