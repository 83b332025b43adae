using Hatchway.Control;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Tests.Program;

/// <summary>The whole program while its guest keeps devices busy.</summary>
public sealed class SteadyStateTests : IDisposable
{
    private const string Guest = "steady-state";
    private const int Windows = 3;
    private const uint RingsAt = 0x20_0000;
    private const uint RingsOfNext = 0x1_0000;
    private const int AvailableAt = 0x1000;
    private const int UsedAt = 0x2000;
    private const int BufferAt = 0x3000;
    private const int Buffer = 64;

    // The doorbells' offset in a device's BAR.
    private const int NotifyAt = 0x3000;

    // The runtime counts allocation in the blocks that it gives to threads, 8 KiB each.
    private const long Quantum = 16 << 10;

    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(20);
    private readonly string _kernel = Path.GetTempFileName();
    private readonly ControlClient _client = new(ControlFolder.OfUser()!);

    public void Dispose() => File.Delete(_kernel);

    [KvmFact]
    public void For_a_minute_two_busy_devices_make_the_process_allocate_nothing()
    {
        File.WriteAllBytes(_kernel, PvhKernel.Build(KeepTwoDevicesBusy));
        using var run = new ProgramRun(
            "run", "-m", "32M", "-s", "4,virtio-rnd", "-s", "5,virtio-rnd", "-s", "31,lpc", "-l", "com1,stdio", "--kernel", _kernel, Guest);
        ProgramRun.Expect("x", run.Output);
        // The cost of a request itself: the least of several, since the first ones allocate objects that stay.
        var request = long.MaxValue;
        var last = Ask();
        for (var i = 0; i < 20; i++)
        {
            var next = Ask();
            request = Math.Min(request, next.Allocated - last.Allocated);
            last = next;
        }
        var least = long.MaxValue;
        for (var i = 0; i < Windows; i++)
        {
            Assert.False(run.EndsWithin(s_window));
            var next = Ask();
            Assert.InRange(next.Buffers.Min() - last.Buffers.Max(), 1000, long.MaxValue);
            least = Math.Min(least, next.Allocated - last.Allocated);
            last = next;
        }
        // The runtime recompiles code now and then, which allocates, but not in every window.
        Assert.InRange(least, 0, request + Quantum);
    }

    private (long Allocated, long[] Buffers) Ask()
    {
        var stats = _client.TryAsk(Guest, "stats")!.Value;
        return (stats.GetProperty("process").GetProperty("allocated").GetInt64(), [.. stats.GetProperty("devices").EnumerateArray()
            .Select(static device => device.GetProperty("queues")[0].GetProperty("buffers").GetInt64())]);
    }

    private static void KeepTwoDevicesBusy(Assembler a)
    {
        a.mov(edi, RingsAt);
        Start(a, 4, ebx);
        a.mov(edi, RingsAt + RingsOfNext);
        Start(a, 5, ebp);
        a.mov(dx, 0x3F8);
        a.mov(al, (byte)'x');
        a.@out(dx, al);
        var again = a.CreateLabel();
        a.Label(ref again);
        Exchange(a, RingsAt, ebx);
        Exchange(a, RingsAt + RingsOfNext, ebp);
        a.jmp(again);
    }

    // A driver of the split layout with one descriptor (VIRTIO 1.2 §3.1.1, §4.1.4.3), with its rings at EDI;
    // leaves the BAR's address in a register.
    private static void Start(Assembler a, uint slot, AssemblerRegister32 bar)
    {
        ConfigAddress(a, slot, 0x04);
        a.mov(eax, 6);
        a.@out(dx, eax);
        ConfigAddress(a, slot, 0x10);
        a.@in(eax, dx);
        a.and(eax, 0xFFFF_FFF0);
        a.mov(bar, eax);
        a.mov(__byte_ptr[bar + 0x14], 3);
        a.mov(__dword_ptr[bar + 0x08], 1);
        a.mov(__dword_ptr[bar + 0x0C], 1);
        a.mov(__byte_ptr[bar + 0x14], 11);
        a.mov(__word_ptr[bar + 0x16], 0);
        a.mov(__word_ptr[bar + 0x18], 1);
        a.lea(eax, __[edi + BufferAt]);
        a.mov(__dword_ptr[edi], eax);
        a.mov(__dword_ptr[edi + 8], Buffer);
        a.mov(__word_ptr[edi + 12], 2);
        a.mov(__dword_ptr[bar + 0x20], edi);
        a.lea(eax, __[edi + AvailableAt]);
        a.mov(__dword_ptr[bar + 0x28], eax);
        a.lea(eax, __[edi + UsedAt]);
        a.mov(__dword_ptr[bar + 0x30], eax);
        a.mov(__word_ptr[bar + 0x1C], 1);
        a.mov(__byte_ptr[bar + 0x14], 15);
    }

    private static void ConfigAddress(Assembler a, uint slot, uint register)
    {
        a.mov(dx, 0xCF8);
        a.mov(eax, 0x8000_0000 | (slot << 11) | register);
        a.@out(dx, eax);
        a.mov(dx, 0xCFC);
    }

    // Offers the buffer, notifies, and reads a register of the device until the buffer is back.
    private static void Exchange(Assembler a, uint rings, AssemblerRegister32 bar)
    {
        var wait = a.CreateLabel();
        a.inc(__word_ptr[rings + AvailableAt + 2]);
        a.mov(__word_ptr[bar + NotifyAt], 0);
        a.Label(ref wait);
        a.mov(eax, __dword_ptr[bar]);
        a.mov(ax, __word_ptr[rings + AvailableAt + 2]);
        a.cmp(ax, __word_ptr[rings + UsedAt + 2]);
        a.jne(wait);
    }
}
