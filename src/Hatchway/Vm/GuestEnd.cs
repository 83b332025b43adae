using Hatchway.Linux;
using Hatchway.Machine.Devices;

namespace Hatchway.Vm;

/// <summary>The reasons why a guest ends.</summary>
internal enum EndReason
{
    None = 0,
    Reboot,
    PowerOff,
    TripleFault,
    Stopped,
    Failed,
}

/// <summary>Decides how a guest ends: the first request wins. Any thread may call.</summary>
internal sealed class GuestEnd : IPowerControl, IDisposable
{
    private readonly EventFd _ended = EventFd.Create();
    private int _reason;
    private string? _failure;

    /// <summary>True when the guest must stop. Every vCPU reads it after each exit.</summary>
    public bool IsRequested => Volatile.Read(ref _reason) != (int)EndReason.None;

    public EndReason Reason => (EndReason)Volatile.Read(ref _reason);

    /// <summary>Readable once the end is requested, and from then on.</summary>
    public FileDescriptor Ended => _ended;

    /// <summary>The failure, when the reason is <see cref="EndReason.Failed"/>.</summary>
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
