using System.Buffers.Binary;
using System.Globalization;
using Hatchway.Control;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Bench;

/// <summary>The slowest of a million exits, as the guest's time stamp counter shows it: in a raw loop, in the program, and in the program
/// while its counters are requested ten times a second.</summary>
internal static class Pauses
{
    private const int Rounds = 5;
    private const int Exits = 1_000_000;
    private const string Name = "bench-pauses";
    private static readonly TimeSpan s_pollEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>Measures and prints the results.</summary>
    /// <returns>0.</returns>
    public static int Run(string program)
    {
        uint kilohertz;
        using (var any = new RawLoop([]))
            kilohertz = any.TscKilohertz;
        Console.WriteLine($"{Rounds} rounds in turns, {Exits} exits each; the slowest in us, and how many took more than 1 ms");
        (string Name, Func<(uint Slowest, uint Slow)> Measure)[] all =
        [
            ("raw loop", () => OfRawLoop(kilohertz)),
            ("program", () => OfProgram(program, kilohertz, isPolled: false)),
            ("program, stats polled", () => OfProgram(program, kilohertz, isPolled: true)),
        ];
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var (name, measure) in all)
            {
                var (slowest, slow) = measure();
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"{name,-24} {slowest * 1000.0 / kilohertz,10:F0} us {slow,6}"));
            }
        }
        return 0;
    }

    private static (uint Slowest, uint Slow) OfRawLoop(uint limit)
    {
        var assembler = new Assembler(16);
        Guest(assembler, limit);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), GuestCode.CodeAt);
        using var loop = new RawLoop(stream.ToArray());
        Span<byte> answer = stackalloc byte[9];
        loop.Collect(answer);
        return Numbers(answer[1..]);
    }

    private static (uint Slowest, uint Slow) OfProgram(string program, uint limit, bool isPolled)
    {
        using var guest = new GuestProcess(program, Name, a => Guest(a, limit));
        guest.Read();
        using var done = new ManualResetEvent(false);
        var poll = isPolled ? new Thread(() => Poll(done)) : null;
        poll?.Start();
        Span<byte> answer = stackalloc byte[8];
        foreach (ref var one in answer)
            one = guest.Read();
        done.Set();
        poll?.Join();
        return Numbers(answer);
    }

    private static void Poll(ManualResetEvent done)
    {
        var client = new ControlClient(ControlFolder.OfUser()!);
        while (!done.WaitOne(s_pollEvery))
            client.TryAsk(Name, "stats");
    }

    private static (uint Slowest, uint Slow) Numbers(ReadOnlySpan<byte> answer) =>
        (BinaryPrimitives.ReadUInt32LittleEndian(answer), BinaryPrimitives.ReadUInt32LittleEndian(answer[4..]));

    // Uses registers only, so that the code is the same in real and in protected mode.
    private static void Guest(Assembler a, uint limit)
    {
        var again = a.CreateLabel();
        var noRecord = a.CreateLabel();
        var fast = a.CreateLabel();
        // A sign of life first, then the work.
        a.mov(dx, unchecked((short)GuestProcess.Com1));
        a.@out(dx, al);
        a.xor(ebx, ebx);
        a.xor(esi, esi);
        a.mov(edi, Exits);
        a.Label(ref again);
        a.rdtsc();
        a.mov(ecx, eax);
        a.mov(dx, unchecked((short)GuestProcess.Scratch));
        a.@in(al, dx);
        a.rdtsc();
        a.sub(eax, ecx);
        a.cmp(eax, ebx);
        a.jbe(noRecord);
        a.mov(ebx, eax);
        a.Label(ref noRecord);
        a.cmp(eax, limit);
        a.jbe(fast);
        a.inc(esi);
        a.Label(ref fast);
        a.dec(edi);
        a.jnz(again);
        a.mov(dx, unchecked((short)GuestProcess.Com1));
        foreach (var number in (AssemblerRegister32[])[ebx, esi])
        {
            a.mov(eax, number);
            for (var i = 0; i < 4; i++)
            {
                a.@out(dx, al);
                a.shr(eax, 8);
            }
        }
        a.cli();
        a.hlt();
    }
}
