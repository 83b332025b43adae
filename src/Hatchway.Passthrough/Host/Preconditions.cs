using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>What must hold before a guest can be given functions of the host. Looked at before anything is opened.</summary>
/// <remarks>
/// The rules are those of <see cref="HostChecks"/> and <see cref="DeviceChecks"/> that stop <c>run</c>; the first one that does not hold is
/// thrown as a <see cref="PassthroughException"/> whose message names the command or the setting that mends it.
/// </remarks>
public sealed class Preconditions(HostView view)
{
    /// <summary>KVM can be opened, and translates guest addresses in hardware.</summary>
    public void CheckKvm()
    {
        // Without a device a guest's RAM needs no lock: none of it is asked for here.
        var subject = new HostSubject(view, MemoryBytes: 0, LockLimit: 0, LocksFreely: false);
        foreach (var check in HostChecks.All)
        {
            if (check.StopsRun)
                check.Look(subject)?.ThrowIfProblem();
        }
    }

    /// <summary>All that a function needs to be given away.</summary>
    public HostDevice CheckDevice(PciAddress address)
    {
        var subject = DeviceSubject.At(view, address);
        foreach (var check in DeviceChecks.All)
        {
            if (check.StopsRun)
                check.Look(subject)?.ThrowIfProblem();
        }
        return subject.Device!;
    }

    /// <summary>What may be locked in memory is enough for the guest's RAM.</summary>
    /// <param name="bytes">The guest's RAM.</param>
    public void CheckMemoryLock(ulong bytes) => HostChecks.MemoryLock.Look(HostSubject.ForThisProcess(view, bytes))?.ThrowIfProblem();
}
