using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Iced.Intel;

namespace Hatchway.SmallGuests;

/// <summary>A VM with one page of real-mode code at 1000h and one vCPU, to test KVM and the native boundary.</summary>
internal sealed class SmallGuest : IDisposable
{
    public const ulong CodeAt = 0x1000;
    private const ulong MemoryBytes = 0x10000;
    private readonly KvmSystem _system;
    private readonly MemoryFile _file;
    private readonly MemoryMapping _memory;
    private readonly IDisposable _slot;

    public SmallGuest(Action<Assembler> code, bool interruptControllers = false)
    {
        _system = KvmSystem.Open();
        Vm = _system.CreateVm();
        if (interruptControllers)
            Vm.CreateInterruptControllers();
        _file = MemoryFile.Create("small guest", MemoryBytes);
        _memory = _file.Map();
        _slot = Vm.MapMemory(0, _memory.Address, MemoryBytes);
        Assemble(code).CopyTo(_memory.Slice(CodeAt, 0x1000));
        Vcpu = Vm.CreateVcpu(0);
        Vcpu.SetRealMode();
        Vcpu.SetRegisters(new GeneralRegisters { Rip = CodeAt, Rsp = 0x8000 });
    }

    public KvmVm Vm { get; }

    public KvmVcpu Vcpu { get; }

    public KvmSystem System => _system;

    public Span<byte> Memory => _memory.Slice(0, (int)MemoryBytes);

    public nint MemoryAddress => _memory.Address;

    /// <summary>Points a real-mode interrupt vector at code.</summary>
    public void SetVector(int vector, Action<Assembler> code, ushort at)
    {
        Assemble(code, at).CopyTo(Memory[at..]);
        BitConverter.TryWriteBytes(Memory[(vector * 4)..], (uint)at);
    }

    public void Dispose()
    {
        Vcpu.Dispose();
        _slot.Dispose();
        Vm.Dispose();
        _system.Dispose();
        _memory.Dispose();
        _file.Dispose();
    }

    private static byte[] Assemble(Action<Assembler> code, ulong at = CodeAt)
    {
        var assembler = new Assembler(16);
        code(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), at);
        return stream.ToArray();
    }
}
