using Hatchway.Linux;
using Hatchway.Machine.Devices;

namespace Hatchway.Vm;

/// <summary>Why a guest ended.</summary>
internal enum EndReason
{
    None = 0,
    Reboot,
    PowerOff,
    TripleFault,
    Stopped,
    Failed,
}

/// <summary>The one place where a guest's end is decided: the first reason counts. Any thread may ask.</summary>
internal sealed class GuestEnd : IPowerControl, IDisposable
{
    private readonly EventFd _ended = EventFd.Create();
    private int _reason;
    private string? _failure;

    /// <summary>True when the guest is to stop. Read by every vCPU after every exit.</summary>
    public bool IsRequested => Volatile.Read(ref _reason) != (int)EndReason.None;

    public EndReason Reason => (EndReason)Volatile.Read(ref _reason);

    /// <summary>Readable once the end is requested, and from then on.</summary>
    public FileDescriptor Ended => _ended;

    /// <summary>What went wrong, when the reason is <see cref="EndReason.Failed"/>.</summary>
    public string? Failure => Volatile.Read(ref _failure);

    public void Request(PowerEvent powerEvent) => Request(powerEvent == PowerEvent.Reset ? EndReason.Reboot : EndReason.PowerOff);

    public void Request(EndReason reason)
    {
        if (Interlocked.CompareExchange(ref _reason, (int)reason, (int)EndReason.None) == (int)EndReason.None)
            _ended.Signal();
    }

    public void Fail(string why)
    {
        Interlocked.CompareExchange(ref _failure, why, null);
        Request(EndReason.Failed);
    }

    /// <summary>Waits until the end is requested.</summary>
    public void Wait() => _ended.Wait(Timeout.InfiniteTimeSpan);

    public void Dispose() => _ended.Dispose();
}
