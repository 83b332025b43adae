using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>Checks what must hold before functions of the host can be given to a guest. Called before anything is opened.</summary>
/// <remarks>
/// The rules are those of <see cref="HostChecks"/> and <see cref="DeviceChecks"/> that stop <c>run</c>. The first problem is thrown as a
/// <see cref="PassthroughException"/>, whose message names the command or the setting that fixes it.
/// </remarks>
public sealed class Preconditions(HostView view)
{
    /// <summary>Checks that KVM can be opened and uses nested paging.</summary>
    public void CheckKvm()
    {
        // A guest without devices needs no locked RAM, so no bytes are checked here.
        var subject = new HostSubject(view, MemoryBytes: 0, LockLimit: 0, LocksFreely: false);
        foreach (var check in HostChecks.All)
        {
            if (check.StopsRun)
                check.Look(subject)?.ThrowIfProblem();
        }
    }

    /// <summary>Checks that a function can be given to a guest.</summary>
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

    /// <summary>Checks that this process may lock the guest's RAM in memory.</summary>
    /// <param name="bytes">Bytes of the guest's RAM.</param>
    public void CheckMemoryLock(ulong bytes) => HostChecks.MemoryLock.Look(HostSubject.ForThisProcess(view, bytes))?.ThrowIfProblem();
}
