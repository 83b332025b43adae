using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Machine.Memory;
using Hatchway.Pci.Address;
using Hatchway.Vm;

namespace Hatchway.Bench;

/// <summary>The program's own loop: with kicks possible, and with an address space filled like a guest's.</summary>
internal sealed class ProgramLoop : IDisposable
{
    private readonly KvmSystem _kvm = KvmSystem.Open();
    private readonly KvmVm _vm;
    private readonly MemoryFile _file = MemoryFile.Create("bench guest", GuestCode.MemoryBytes);
    private readonly MemoryMapping _ram;
    private readonly IDisposable _slot;
    private readonly KvmVcpu _vcpu;
    private readonly AddressSpace _ports = new(0x1_0000);

    public ProgramLoop(ReadOnlySpan<byte> code)
    {
        _vm = _kvm.CreateVm();
        _ram = _file.Map();
        _slot = _vm.MapMemory(0, _ram.Address, GuestCode.MemoryBytes);
        code.CopyTo(_ram.Slice(GuestCode.CodeAt, code.Length));
        _vcpu = _vm.CreateVcpu(0);
        _vcpu.SetRealMode();
        _vcpu.SetRegisters(new GeneralRegisters { Rip = GuestCode.CodeAt, Rsp = GuestCode.StackAt });
        FillMemory();
    }

    /// <summary>The guest's physical memory.</summary>
    public AddressSpace Memory { get; } = new(1ul << 40);

    /// <summary>The register that the guest reads.</summary>
    public CountingRegister Device { get; } = new();

    /// <summary>Answers exits, including the loop's start and end.</summary>
    /// <param name="exits">The number of exits.</param>
    public void Run(int exits)
    {
        using var end = new GuestEnd();
        Device.EndAfter(exits, end);
        new VcpuLoop(_vcpu, Memory, _ports, end, new PauseGate(1)).Run();
        if (end.Reason != EndReason.PowerOff)
            throw new InvalidOperationException($"the guest ended otherwise: {end.Reason}, {end.Failure}");
    }

    public void Dispose()
    {
        _vcpu.Dispose();
        _slot.Dispose();
        _vm.Dispose();
        _kvm.Dispose();
        _ram.Dispose();
        _file.Dispose();
    }

    // The device, and ten functions with two BARs each: as many ranges as a guest with many devices has.
    private void FillMemory()
    {
        const ulong BarsAt = 0xC000_0000;
        const ulong BarStride = 0x10_0000;
        Memory.Map(GuestCode.DeviceAt, 0x1000, Device);
        for (var bar = 0ul; bar < 20; bar++)
            Memory.Map(BarsAt + (bar * BarStride), 0x4000, new CountingRegister());
    }
}

/// <summary>A target that counts its reads, and ends the guest after the last one.</summary>
internal sealed class CountingRegister : IAddressTarget
{
    private int _left;
    private GuestEnd? _end;

    public void EndAfter(int reads, GuestEnd end) => (_left, _end) = (reads, end);

    public ulong Read(ulong offset, AccessWidth width)
    {
        if (--_left == 0)
            _end?.Request(EndReason.PowerOff);
        return 0x1234_5678;
    }

    public void Write(ulong offset, AccessWidth width, ulong value)
    {
    }
}
