using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Lab.Tests;

/// <summary>Guests that drive an NVMe controller with its admin queue (NVM Express base specification 1.4).</summary>
internal static partial class TinyGuest
{
    // QEMU's controller: offsets of its capabilities; the MSI-X table is in BAR0.
    private const byte NvmePower = 0x60;
    private const byte NvmeMsix = 0x40;
    private const byte NvmeExpress = 0x80;
    private const int NvmeTable = 0x2000;

    // Registers of BAR0 (§3.1).
    private const int NvmeConfiguration = 0x14;
    public const int NvmeStatus = 0x1C;
    private const int NvmeDoorbells = 0x1000;
    private const uint NvmeOn = (4 << 20) | (6 << 16) | 1;

    // Queues of 16 entries, and the memory that each function has for them.
    private const int Entries = 16;
    private const int QueuesAt = 0x40_0000;
    private const int QueueStride = 0x1_0000;
    private const int QueuesOfFunction = 4 * QueueStride;
    private const byte GetFeatures = 0x0A;
    private const byte CreateCompletionQueue = 0x05;
    private const byte CreateSubmissionQueue = 0x01;
    private const byte Flush = 0x00;

    /// <summary>
    /// Unmasks vectors of two controllers alternately. The controllers must interrupt with each one's first vector, and the first
    /// controller with a later one, too.
    /// </summary>
    /// <param name="slots">Device numbers on bus 0.</param>
    /// <param name="vectors">The number of vectors of each.</param>
    /// <param name="later">The later vector.</param>
    public static byte[] UnmaskingVectors((int First, int Second) slots, uint vectors, int later) => Counting(
        (a, wrong) =>
        {
            const int ByFirst = FirstVector;
            const int BySecond = FirstVector + 1;
            const int ByLater = FirstVector + 2;
            const int ByOthers = FirstVector + 31;
            var next = a.CreateLabel();
            PlaceBar0(a, slots.Second, is64Bit: true, Bar0At + BarStride);
            PlaceBar0(a, slots.First, is64Bit: true);
            WriteConfig(a, slots.First, NvmeMsix, 1u << 31);
            WriteConfig(a, slots.Second, NvmeMsix, 1u << 31);
            a.xor(ecx, ecx);
            a.Label(ref next);
            foreach (var table in new[] { NvmeTable, (int)BarStride + NvmeTable })
            {
                a.mov(__dword_ptr[ebx + ecx + table], ApicAddress);
                a.mov(__dword_ptr[ebx + ecx + table + 8], ByOthers);
                a.mov(__dword_ptr[ebx + ecx + table + 12], 0);
            }
            a.add(ecx, 16);
            a.cmp(ecx, vectors * 16);
            a.jne(next);
            a.mov(__dword_ptr[ebx + NvmeTable + 8], ByFirst);
            a.mov(__dword_ptr[ebx + NvmeTable + (int)BarStride + 8], BySecond);
            a.mov(__dword_ptr[ebx + NvmeTable + (later * 16) + 8], ByLater);
            a.xor(esi, esi);
            a.sti();
            StartNvme(a, 0, wrong);
            Admin(a, 0, ByFirst, 0, GetFeatures, 0, 7, 0, wrong);
            Admin(a, 0, ByFirst, 1, CreateCompletionQueue, QueuesAt + (2 * QueueStride), Queue(1), ((uint)later << 16) | 0b11, wrong);
            Admin(a, 0, ByFirst, 2, CreateSubmissionQueue, QueuesAt + (3 * QueueStride), Queue(1), (1 << 16) | 1, wrong);
            Submit(a, 0, 1, ByLater, 0, Flush, 0, 0, 0, wrong);
            a.mov(ebx, Bar0At + BarStride);
            StartNvme(a, QueuesOfFunction, wrong);
            Admin(a, QueuesOfFunction, BySecond, 0, GetFeatures, 0, 7, 0, wrong);
            PowerOff(a);
        },
        static _ => { });

    /// <summary>The register writes that make a controller ready, as its status then shows: disable, admin queues, enable
    /// (§3.5.1).</summary>
    public static (int Register, uint Value)[] NvmeReady =>
    [
        (NvmeConfiguration, 0),
        (0x24, ((Entries - 1) << 16) | (Entries - 1)),
        (0x28, QueuesAt),
        (0x2C, 0),
        (0x30, QueuesAt + QueueStride),
        (0x34, 0),
        (NvmeConfiguration, NvmeOn),
    ];

    /// <summary>
    /// Uses a controller, resets it with its FLR bit, waits 100 ms, and checks that its registers are as after power-on; then uses it
    /// again. Then sends it to D3hot and back, which must keep its registers, and uses it once more.
    /// </summary>
    public static byte[] ResettingNvme(int slot) => Counting(
        (a, wrong) =>
        {
            a.xor(esi, esi);
            a.sti();
            UseNvmeFromStart(a, slot, wrong);
            CheckConfig(a, slot, 4, 6, 6, wrong);

            const uint InitiateFlr = 1 << 15;
            WriteConfig(a, slot, NvmeExpress + 8, InitiateFlr);
            WaitHundredMilliseconds(a);
            AwaitConfig(a, slot);
            CheckUninitialised(a, slot, wrong);
            CheckConfig(a, slot, NvmeMsix, 1u << 31, 0, wrong);
            PlaceBar0(a, slot, is64Bit: true);
            a.cmp(__dword_ptr[ebx + NvmeConfiguration], 0);
            a.jne(wrong);
            a.test(__dword_ptr[ebx + NvmeStatus], 1);
            a.jne(wrong);
            a.cmp(__dword_ptr[ebx + NvmeTable], 0);
            a.jne(wrong);
            a.cmp(__dword_ptr[ebx + NvmeTable + 12], 1);
            a.jne(wrong);
            UseNvmeFromStart(a, slot, wrong);

            WriteConfig(a, slot, NvmePower + 4, 3);
            a.cmp(__dword_ptr[ebx + NvmeStatus], -1);
            a.jne(wrong);
            WriteConfig(a, slot, NvmePower + 4, 0);
            CheckConfig(a, slot, 4, 6, 6, wrong);
            a.test(__dword_ptr[ebx + NvmeStatus], 1);
            a.je(wrong);
            Admin(a, 0, FirstVector, 1, GetFeatures, 0, 7, 0, wrong);
            PowerOff(a);
        },
        static _ => { });

    /// <summary>
    /// Uses an e1000e by MSI, sends it to D3hot and back, which resets it, and checks that its registers are as after power-on; then uses
    /// it again.
    /// </summary>
    public static byte[] WakingE1000e(int slot) => Counting(
        (a, wrong) =>
        {
            const byte Power = 0xC8;
            const byte Message = 0xD0;
            a.xor(esi, esi);
            a.sti();
            UseE1000e(a, slot, Message, wrong);
            WriteConfig(a, slot, Power + 4, 3);
            a.cmp(__dword_ptr[ebx], -1);
            a.jne(wrong);
            WriteConfig(a, slot, Power + 4, 0);
            CheckUninitialised(a, slot, wrong);
            CheckConfig(a, slot, Message, 1u << 16, 0, wrong);
            CheckConfig(a, slot, Message + 4, ~0u, 0, wrong);
            CheckConfig(a, slot, Message + 12, 0xFFFF, 0, wrong);
            UseE1000e(a, slot, Message, wrong);
            PowerOff(a);
        },
        QuietE1000e);

    // Interrupt cause, cause set and mask registers (82574L data sheet, 10.2.4).
    private static void UseE1000e(Assembler a, int slot, byte message, Label wrong)
    {
        const int CauseSet = 0xC8;
        const int MaskSet = 0xD0;
        const uint LinkChange = 4;
        PlaceBar0(a, slot, is64Bit: false);
        WriteConfig(a, slot, (byte)(message + 4), ApicAddress);
        WriteConfig(a, slot, (byte)(message + 12), FirstVector);
        WriteConfig(a, slot, message, 1 << 16);
        a.mov(__dword_ptr[ebx + MaskSet], LinkChange);
        Once(a, FirstVector, () => a.mov(__dword_ptr[ebx + CauseSet], LinkChange), wrong);
    }

    private static void QuietE1000e(Assembler a) => a.mov(__dword_ptr[ebx + 0xC0], -1);

    private static void UseNvmeFromStart(Assembler a, int slot, Label wrong)
    {
        PlaceBar0(a, slot, is64Bit: true);
        WriteConfig(a, slot, NvmeMsix, 1u << 31);
        a.mov(__dword_ptr[ebx + NvmeTable], ApicAddress);
        a.mov(__dword_ptr[ebx + NvmeTable + 8], FirstVector);
        a.mov(__dword_ptr[ebx + NvmeTable + 12], 0);
        StartNvme(a, 0, wrong);
        Admin(a, 0, FirstVector, 0, GetFeatures, 0, 7, 0, wrong);
    }

    // Checks that decoding is off, no BAR has an address, and nothing answers where BAR0 was.
    private static void CheckUninitialised(Assembler a, int slot, Label wrong)
    {
        CheckConfig(a, slot, 4, 0x0407, 0, wrong);
        CheckConfig(a, slot, 0x10, 0xFFFF_FFF0, 0, wrong);
        a.cmp(__dword_ptr[ebx], -1);
        a.jne(wrong);
    }

    // A function in reset may answer with all ones (PCIe 6.0 §6.6.2).
    private static void AwaitConfig(Assembler a, int slot)
    {
        var again = a.CreateLabel();
        a.Label(ref again);
        ReadConfig(a, slot, 0);
        a.cmp(eax, -1);
        a.je(again);
    }

    // By ACPI's timer of 3579545 Hz, whose 24 bits may wrap meanwhile.
    private static void WaitHundredMilliseconds(Assembler a)
    {
        const int Timer = 0x608;
        const uint Ticks = 357_955;
        var again = a.CreateLabel();
        a.mov(dx, Timer);
        a.@in(eax, dx);
        a.mov(ecx, eax);
        a.Label(ref again);
        a.@in(eax, dx);
        a.sub(eax, ecx);
        a.and(eax, 0x00FF_FFFF);
        a.cmp(eax, Ticks);
        a.jb(again);
    }

    private static uint Queue(uint id) => ((Entries - 1) << 16) | id;

    // Sets up the admin queues and enables the controller. The queues' memory need not be cleared: entries are written whole.
    private static void StartNvme(Assembler a, int memory, Label wrong)
    {
        const int Attributes = 0x24;
        const int Submission = 0x28;
        const int Completion = 0x30;
        var starting = a.CreateLabel();
        a.mov(__dword_ptr[ebx + Attributes], ((Entries - 1) << 16) | (Entries - 1));
        a.mov(__dword_ptr[ebx + Submission], QueuesAt + memory);
        a.mov(__dword_ptr[ebx + Submission + 4], 0);
        a.mov(__dword_ptr[ebx + Completion], QueuesAt + memory + QueueStride);
        a.mov(__dword_ptr[ebx + Completion + 4], 0);
        a.mov(__dword_ptr[ebx + NvmeConfiguration], NvmeOn);
        a.mov(ecx, Patience);
        a.Label(ref starting);
        a.dec(ecx);
        a.je(wrong);
        a.test(__dword_ptr[ebx + NvmeStatus], 1);
        a.je(starting);
    }

    private static void Admin(
        Assembler a, int memory, int vector, int entry, byte opcode, uint buffer, uint ten, uint eleven, Label wrong) =>
        Submit(a, memory, 0, vector, entry, opcode, buffer, ten, eleven, wrong);

    // Submits a command and checks its completion: an interrupt, and success.
    private static void Submit(
        Assembler a, int memory, int queue, int vector, int entry, byte opcode, uint buffer, uint ten, uint eleven, Label wrong)
    {
        var at = QueuesAt + memory + (2 * queue * QueueStride) + (entry * 64);
        var completion = QueuesAt + memory + (((2 * queue) + 1) * QueueStride) + (entry * 16);
        // The I/O queues' memory is in the other order, since the completion queue is created first.
        if (queue != 0)
        {
            at = QueuesAt + memory + (3 * QueueStride) + (entry * 64);
            completion = QueuesAt + memory + (2 * QueueStride) + (entry * 16);
        }
        a.mov(__dword_ptr[at], opcode);
        a.mov(__dword_ptr[at + 4], queue);
        a.mov(__dword_ptr[at + 24], buffer);
        a.mov(__dword_ptr[at + 40], ten);
        a.mov(__dword_ptr[at + 44], eleven);
        a.mov(__dword_ptr[completion + 12], 0);
        Once(a, vector, () => a.mov(__dword_ptr[ebx + NvmeDoorbells + (queue * 8)], entry + 1), wrong);
        // Phase 1 and status 0, in the upper half.
        a.cmp(__word_ptr[completion + 14], 1);
        a.jne(wrong);
    }
}
