using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.KvmRequests;

namespace Hatchway.Linux.Kvm;

// How a vCPU is called back from the guest: immediate_exit ends a KVM_RUN that is entered after it was set, and a signal one that was
// entered before (EINTR). The flag is set first, so the signal may come anywhere else in the thread: its handler does nothing. To block it
// there and unblock it in the guest (KVM_SET_SIGNAL_MASK) would need no handler, and change the mask twice at each exit.
public sealed unsafe partial class KvmVcpu
{
    /// <summary>The signal that ends KVM_RUN: SIGRTMIN is the runtime's.</summary>
    internal const int KickSignal = Libc.SIGRTMIN + 1;

    // A function of the C library's that looks at a number, and at nothing else.
    private static readonly nint Nothing = NativeLibrary.GetExport(NativeLibrary.Load(Libc.Name), "abs");

    private readonly Lock _kickGate = new();
    private int _thread;

    /// <summary>Makes the calling thread the one that runs this vCPU, until the result is disposed by the same thread.</summary>
    /// <remarks>Holds the descriptor and the shared page open meanwhile.</remarks>
    public IDisposable Attach()
    {
        lock (_kickGate)
        {
            if (_thread != 0)
                throw new InvalidOperationException("the vCPU has a thread already");
            HandleKicks();
            var held = false;
            DangerousAddRef(ref held);
            _mapping.DangerousAddRef(ref held);
            _thread = Libc.gettid();
        }
        return new Attachment(this);
    }

    /// <summary>Makes <see cref="Run"/> return <see cref="KvmExit.Interrupted"/>, the current call or the next. Any thread may
    /// call.</summary>
    public void Kick()
    {
        // The request, wherever the caller keeps it, is visible before the flag is.
        Interlocked.MemoryBarrier();
        lock (_kickGate)
        {
            // Without a thread there is none to call back; it looks for requests before its first run.
            if (_thread == 0)
                return;
            Volatile.Write(ref _run->immediate_exit, 1);
            if (Libc.tgkill(Libc.getpid(), _thread, KickSignal) != 0)
                LinuxException.Throw("tgkill");
        }
    }

    /// <summary>
    /// Enters KVM once without entering the guest, so that an access whose answer was put in place is completed: before a vCPU's state is
    /// read, or its machine stands still (Documentation/virt/kvm/api.rst, the note on KVM_EXIT_IO and KVM_EXIT_MMIO).
    /// </summary>
    /// <returns><see cref="KvmExit.Interrupted"/>; or the next exit of an instruction that makes several,
    /// to be answered as any other.</returns>
    public KvmExit CompleteAccess()
    {
        Volatile.Write(ref _run->immediate_exit, 1);
        return Run();
    }

    /// <summary>
    /// Tells the guest's clock that the vCPU stood still, so that the guest's watchdogs do not take the pause for a hang
    /// (KVM_KVMCLOCK_CTRL, Documentation/virt/kvm/api.rst). After a pause, by the thread that runs it.
    /// </summary>
    public void NotePause()
    {
        using var use = Use();
        // EINVAL: the guest does not use KVM's clock, and so does not ask.
        if (Ioctl.ioctl(use.Fd, KVM_KVMCLOCK_CTRL, 0) < 0 && LinuxException.Last != Errno.EINVAL)
            LinuxException.Throw("KVM_KVMCLOCK_CTRL");
    }

    private KvmExit Interrupted(Errno errno)
    {
        // EAGAIN: the vCPU was waiting to be started, and something woke it.
        if (errno is not (Errno.EINTR or Errno.EAGAIN))
            throw new LinuxException("KVM_RUN", errno);
        // In this order: a kick after the flag is cleared sets it again, and the look at requests comes after both.
        Volatile.Write(ref _run->immediate_exit, 0);
        Interlocked.MemoryBarrier();
        return KvmExit.Interrupted;
    }

    // What the signal does to the process: nothing. Code of .NET's can't be its handler, since it may come while its thread
    // is in the midst of .NET's own. A call that it comes upon goes on (SA_RESTART), but for KVM_RUN.
    private static void HandleKicks()
    {
        var action = new sigaction { sa_handler = Nothing, sa_flags = Libc.SA_RESTART };
        // SAFETY: a structure on the stack, as large as the C library's (tested).
        LinuxException.Check(Libc.sigaction_(KickSignal, &action, null), "sigaction");
    }

    private void Detach()
    {
        lock (_kickGate)
        {
            _thread = 0;
            Volatile.Write(ref _run->immediate_exit, 0);
        }
        _mapping.DangerousRelease();
        DangerousRelease();
    }

    private sealed class Attachment(KvmVcpu vcpu) : IDisposable
    {
        private bool _disposed;

        public void Dispose()
        {
            if (_disposed)
                return;
            _disposed = true;
            vcpu.Detach();
        }
    }
}
