using Hatchway.Linux.Kvm;
using Hatchway.Machine.Devices;

namespace Hatchway.Vm;

/// <summary>A wire from an emulated device to a pin of KVM's interrupt controllers.</summary>
internal sealed class KvmInterruptLine(KvmVm vm, uint gsi) : IInterruptLine
{
    public void Set(bool asserted) => vm.SetInterruptLine(gsi, asserted);
}
