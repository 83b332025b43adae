using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;
using Hatchway.Pci.Interrupts;
using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Vfio;

/// <summary>INTx of a VFIO device: level-triggered, and delivered without user space.</summary>
/// <remarks>
/// When the interrupt fires, VFIO masks it and signals the trigger eventfd, and KVM raises the guest's line. When the guest ends the
/// interrupt, KVM lowers the line and signals the resample eventfd, on which VFIO unmasks; if the device still asserts, it fires again
/// (linux/kvm.h KVM_IRQFD_FLAG_RESAMPLE; linux/vfio.h VFIO_IRQ_SET_ACTION_UNMASK). The caller serialises calls.
/// </remarks>
internal sealed partial class VfioIntx(PciAddress address, VfioDevice device, KvmVm vm, uint gsi, ILogger log) : IIntxInterrupt, IDisposable
{
    private readonly ILogger _log = log;
    private EventFd? _trigger;
    private EventFd? _resample;

    public bool TryEnable()
    {
        try
        {
            _trigger = EventFd.Create();
            _resample = EventFd.Create();
            vm.AssignIrqfd(_trigger, gsi, _resample);
            device.SetIrqEventFds(VfioPciIndex.IntxIrq, 0, [_trigger]);
            device.SetIrqUnmaskEventFd(VfioPciIndex.IntxIrq, _resample);
            return true;
        }
        catch (LinuxException failure)
        {
            LogFailed(address, VfioRefusal.OfIntx(new HostView(), address, failure));
            Disable();
            return false;
        }
    }

    public void Disable()
    {
        if (_trigger is null)
            return;
        try
        {
            device.DisableIrqs(VfioPciIndex.IntxIrq);
        }
        catch (LinuxException failure)
        {
            LogFailed(address, failure.Message);
        }
        // Deassigning a resampling irqfd also lowers the line (virt/kvm/eventfd.c, irqfd_resampler_shutdown).
        vm.DeassignIrqfd(_trigger, gsi);
        _trigger.Dispose();
        _resample?.Dispose();
        _trigger = _resample = null;
    }

    public void Dispose() => Disable();

    [LoggerMessage(LogLevel.Warning, "{Device}: INTx can't be switched: {Reason}")]
    private partial void LogFailed(PciAddress device, string reason);
}
