using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Bench;

/// <summary>Guests of a few real-mode instructions, and the addresses that they use.</summary>
internal static class GuestCode
{
    public const ulong MemoryBytes = 0x1_0000;
    public const ulong CodeAt = 0x1000;
    public const ulong StackAt = 0x8000;

    /// <summary>The page with the device's registers, and the one of them that is read.</summary>
    public const ulong DeviceAt = 0x2_0000;
    public const int Register = 8;

    /// <summary>Reads the register for ever.</summary>
    public static byte[] ReadForEver() => Assemble(static a =>
    {
        var again = a.CreateLabel();
        PointToDevice(a);
        a.Label(ref again);
        a.mov(eax, __dword_ptr[Register]);
        a.jmp(again);
    });

    /// <summary>Reads the register a number of times, then writes to a port, for ever.</summary>
    public static byte[] ReadAndReport(int times) => Assemble(a =>
    {
        var start = a.CreateLabel();
        var again = a.CreateLabel();
        PointToDevice(a);
        a.Label(ref start);
        a.mov(ecx, times);
        a.Label(ref again);
        a.mov(eax, __dword_ptr[Register]);
        a.dec(ecx);
        a.jnz(again);
        a.@out(0x80, al);
        a.jmp(start);
    });

    private static void PointToDevice(Assembler a)
    {
        a.mov(ax, (short)(DeviceAt >> 4));
        a.mov(ds, ax);
    }

    private static byte[] Assemble(Action<Assembler> code)
    {
        var assembler = new Assembler(16);
        code(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), CodeAt);
        return stream.ToArray();
    }
}
