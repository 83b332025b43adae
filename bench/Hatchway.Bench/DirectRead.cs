using Hatchway.Linux;
using Hatchway.Linux.Kvm;

namespace Hatchway.Bench;

/// <summary>Reads the same register in a page that a memory slot maps into the guest, as a BAR is mapped: no exits.</summary>
internal sealed class DirectRead : IDisposable
{
    private readonly KvmSystem _kvm = KvmSystem.Open();
    private readonly KvmVm _vm;
    private readonly MemoryFile _file = MemoryFile.Create("bench guest", GuestCode.MemoryBytes + 0x1000);
    private readonly MemoryMapping _ram;
    private readonly IDisposable _slot;
    private readonly IDisposable _page;
    private readonly KvmVcpu _vcpu;
    private readonly int _readsEachRun;

    public DirectRead(int readsEachRun)
    {
        _readsEachRun = readsEachRun;
        _vm = _kvm.CreateVm();
        _ram = _file.Map();
        _slot = _vm.MapMemory(0, _ram.Address, GuestCode.MemoryBytes);
        _page = _vm.MapMemory(GuestCode.DeviceAt, _ram.Address + (nint)GuestCode.MemoryBytes, 0x1000);
        var code = GuestCode.ReadAndReport(readsEachRun);
        code.CopyTo(_ram.Slice(GuestCode.CodeAt, code.Length));
        _vcpu = _vm.CreateVcpu(0);
        _vcpu.SetRealMode();
        _vcpu.SetRegisters(new GeneralRegisters { Rip = GuestCode.CodeAt, Rsp = GuestCode.StackAt });
    }

    /// <summary>Runs the guest from one report to the next.</summary>
    /// <param name="reads">The number of reads in between, which must be the guest's own.</param>
    public void Run(int reads)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(reads, _readsEachRun);
        using var attached = _vcpu.Attach();
        KvmExit exit;
        do
            exit = _vcpu.Run();
        while (exit == KvmExit.Interrupted);
        if (exit != KvmExit.Io)
            throw new InvalidOperationException($"KVM exit {exit}");
    }

    public void Dispose()
    {
        _vcpu.Dispose();
        _page.Dispose();
        _slot.Dispose();
        _vm.Dispose();
        _kvm.Dispose();
        _ram.Dispose();
        _file.Dispose();
    }
}
