using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Machine.Memory;
using Hatchway.Pci.Address;
using Hatchway.Vm;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Tests.Vm;

/// <summary>The loop with small guests on the real KVM:
/// a guest's reads and writes go through the address spaces to a target.</summary>
public sealed class VcpuLoopTests : IDisposable
{
    private const ulong CodeAt = 0x1000;
    private const ulong DeviceAt = 0x2_0000;
    private readonly AddressSpace _memory = new(1ul << 40);
    private readonly AddressSpace _ports = new(0x1_0000);
    private readonly GuestEnd _end = new();
    private readonly PauseGate _pause = new(1);
    private KvmVcpu? _vcpu;
    private readonly Registers _registers;
    private readonly EndPort _endPort;

    public VcpuLoopTests()
    {
        _registers = new Registers(_end);
        _endPort = new EndPort(_end);
        _ports.Map(EndPort.Port, 4, _endPort);
    }

    public void Dispose() => _end.Dispose();

    [KvmFact]
    public void A_million_exits_with_their_dispatch_allocate_nothing()
    {
        _registers.EndAfter = Registers.WarmUp + 1_000_000;
        _memory.Map(DeviceAt, 0x1000, _registers);

        var allocated = Run(static a =>
        {
            var again = a.CreateLabel();
            a.mov(ax, (short)(DeviceAt >> 4));
            a.mov(ds, ax);
            a.Label(ref again);
            a.mov(eax, __dword_ptr[8]);
            a.mov(__dword_ptr[12], eax);
            a.jmp(again);
        });

        Assert.Equal(EndReason.PowerOff, _end.Reason);
        Assert.InRange(_registers.Accesses, Registers.WarmUp + 1_000_000, Registers.WarmUp + 1_000_001);
        Assert.Equal(0, allocated);
        Assert.Equal(0, _registers.Collections);
    }

    [KvmFact]
    public void A_string_instruction_reaches_the_target_once_for_each_item()
    {
        _registers.EndAfter = 7;
        _ports.Map(0x600, 1, _registers);

        Run(static a =>
        {
            a.mov(si, (short)CodeAt);
            a.mov(cx, 7);
            a.mov(dx, 0x600);
            a.rep.outsb();
            a.hlt();
        });

        Assert.Equal(EndReason.PowerOff, _end.Reason);
        Assert.Equal(7, _registers.Accesses);
    }

    [KvmFact]
    public void A_string_instruction_carries_each_items_value_and_a_byte_goes_out_without_what_was_wider_before()
    {
        var words = new Words();
        _ports.Map(0x600, 4, words);

        Run(static a =>
        {
            a.mov(ax, 0x300);
            a.mov(ds, ax);
            a.mov(es, ax);
            a.mov(dx, 0x600);
            a.xor(di, di);
            a.mov(cx, 5);
            a.rep.insw();
            a.xor(si, si);
            a.mov(cx, 5);
            a.rep.outsw();
            a.mov(eax, 0x1122_3344);
            a.@out(dx, eax);
            a.@out(dx, al);
            a.mov(dx, (short)EndPort.Port);
            a.@out(dx, eax);
            a.hlt();
        });

        Assert.Equal(Enumerable.Range(0xA001, 5).Select(static word => (AccessWidth.Word, (ulong)word)), words.Written[..5]);
        Assert.Equal([(AccessWidth.Dword, 0x1122_3344ul), (AccessWidth.Byte, 0x44ul)], words.Written[5..]);
    }

    [KvmFact]
    public void A_triple_fault_ends_the_guest_with_that_reason()
    {
        Run(static a =>
        {
            // An empty interrupt descriptor table, then a fault.
            a.lidt(__[(short)(CodeAt + 0x100)]);
            a.ud2();
        });

        Assert.Equal(EndReason.TripleFault, _end.Reason);
    }

    [KvmFact]
    public void A_paused_guest_makes_no_access_and_goes_on_after_it()
    {
        _memory.Map(DeviceAt, 0x1000, _registers);
        var paused = new[] { -1, -2 };
        var control = new Thread(() =>
        {
            _registers.Begun.Wait();
            _pause.Close();
            _vcpu!.Kick();
            Assert.True(_pause.WaitForAll(TimeSpan.FromSeconds(30)));
            paused[0] = _registers.Accesses;
            // Time for accesses that must not come; the loop would end early at one.
            Assert.False(SpinWait.SpinUntil(() => _registers.Accesses != paused[0], TimeSpan.FromMilliseconds(100)));
            paused[1] = _registers.Accesses;
            _registers.EndAfter = paused[1] + 1000;
            _pause.Open();
        });
        control.Start();

        Run(static a =>
        {
            var again = a.CreateLabel();
            a.mov(ax, (short)(DeviceAt >> 4));
            a.mov(ds, ax);
            a.Label(ref again);
            a.mov(eax, __dword_ptr[8]);
            a.jmp(again);
        });

        control.Join();
        Assert.Equal(EndReason.PowerOff, _end.Reason);
        Assert.Equal(paused[0], paused[1]);
        Assert.InRange(_registers.Accesses, paused[1] + 1000, paused[1] + 1001);
    }

    [KvmFact]
    public void What_nobody_answers_reads_as_all_ones()
    {
        Run(static a =>
        {
            a.mov(dx, 0x1234);
            a.@in(eax, dx);
            a.mov(bx, 0x3000);
            a.mov(ds, bx);
            a.and(eax, __dword_ptr[0]);
            a.mov(dx, (short)EndPort.Port);
            a.@out(dx, eax);
            a.hlt();
        });

        Assert.Equal(0xFFFF_FFFFul, _endPort.Written);
    }

    private long Run(Action<Assembler> code)
    {
        using var kvm = KvmSystem.Open();
        using var vm = kvm.CreateVm();
        using var file = MemoryFile.Create("small guest", 0x10000);
        using var ram = file.Map();
        using var slot = vm.MapMemory(0, ram.Address, ram.Length);
        var assembler = new Assembler(16);
        code(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), CodeAt);
        stream.ToArray().CopyTo(ram.Slice(CodeAt, 0x1000));
        using var vcpu = vm.CreateVcpu(0);
        _vcpu = vcpu;
        vcpu.SetRealMode();
        vcpu.SetRegisters(new GeneralRegisters { Rip = CodeAt, Rsp = 0x8000 });
        var loop = new VcpuLoop(vcpu, _memory, _ports, _end, _pause);
        loop.Run();
        return _registers.Allocated;
    }

    // Counts accesses, and what the vCPU's thread allocates after the warm-up.
    private sealed class Registers(GuestEnd end) : IAddressTarget
    {
        // The runtime replaces the loop's first code while it runs, which allocates once (seen in its call 10,000, of 16 exits each).
        // A published program's code is not replaced in this way.
        public const int WarmUp = 300_000;

        private long _allocatedBefore;
        private int _collectionsBefore;

        public int EndAfter { get; set; } = int.MaxValue;

        public ManualResetEventSlim Begun { get; } = new();

        public int Accesses { get; private set; }

        public long Allocated { get; private set; }

        public int Collections { get; private set; }

        public ulong Read(ulong offset, AccessWidth width)
        {
            Note();
            return 0;
        }

        public void Write(ulong offset, AccessWidth width, ulong value) => Note();

        private void Note()
        {
            Accesses++;
            if (Accesses == 1)
                Begun.Set();
            if (Accesses == WarmUp)
            {
                _allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
                _collectionsBefore = GC.CollectionCount(0);
            }
            if (Accesses != EndAfter)
                return;
            Allocated = GC.GetAllocatedBytesForCurrentThread() - _allocatedBefore;
            Collections = GC.CollectionCount(0) - _collectionsBefore;
            end.Request(EndReason.PowerOff);
        }
    }

    // Gives A001h and up, and records what is written.
    private sealed class Words : IAddressTarget
    {
        private ulong _next = 0xA000;

        public List<(AccessWidth Width, ulong Value)> Written { get; } = [];

        public ulong Read(ulong offset, AccessWidth width) => ++_next;

        public void Write(ulong offset, AccessWidth width, ulong value) => Written.Add((width, value));
    }

    private sealed class EndPort(GuestEnd end) : IAddressTarget
    {
        public const ushort Port = 0x500;

        public ulong Written { get; private set; }

        public ulong Read(ulong offset, AccessWidth width) => width.AllOnes();

        public void Write(ulong offset, AccessWidth width, ulong value)
        {
            Written = value;
            end.Request(EndReason.PowerOff);
        }
    }
}
