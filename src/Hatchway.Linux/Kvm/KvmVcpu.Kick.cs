using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.KvmRequests;

namespace Hatchway.Linux.Kvm;

// How another thread gets a vCPU out of the guest: immediate_exit ends a KVM_RUN that is entered after it was set, and a signal ends one
// that was entered before (EINTR). The flag is set first, so the signal may arrive anywhere else in the thread: its handler does nothing.
// Blocking the signal outside the guest (KVM_SET_SIGNAL_MASK) would need no handler, but would change the mask twice at each exit.
public sealed unsafe partial class KvmVcpu
{
    /// <summary>The signal that ends KVM_RUN; the runtime uses SIGRTMIN itself.</summary>
    internal const int KickSignal = Libc.SIGRTMIN + 1;

    // The signal's handler: a function of the C library that reads its argument and nothing else.
    private static readonly nint Nothing = NativeLibrary.GetExport(NativeLibrary.Load(Libc.Name), "abs");

    private readonly Lock _kickGate = new();
    private int _thread;

    /// <summary>Makes the calling thread the one that runs this vCPU, until the same thread disposes the result.</summary>
    /// <remarks>Keeps the descriptor and the shared page open meanwhile.</remarks>
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

    /// <summary>Makes the current or the next call of <see cref="Run"/> return <see cref="KvmExit.Interrupted"/>. Any thread may
    /// call.</summary>
    public void Kick()
    {
        // Whatever request the caller stored is visible before the flag is.
        Interlocked.MemoryBarrier();
        lock (_kickGate)
        {
            // Without a thread there is nothing to interrupt; a thread checks for requests before its first run.
            if (_thread == 0)
                return;
            Volatile.Write(ref _run->immediate_exit, 1);
            if (Libc.tgkill(Libc.getpid(), _thread, KickSignal) != 0)
                LinuxException.Throw("tgkill");
        }
    }

    /// <summary>
    /// Enters KVM without entering the guest, so that an access whose answer is in place completes. To be called before a vCPU's state is
    /// read, or its machine is paused (Documentation/virt/kvm/api.rst, the note on KVM_EXIT_IO and KVM_EXIT_MMIO).
    /// </summary>
    /// <returns><see cref="KvmExit.Interrupted"/>; or the next exit, when the instruction makes several accesses, to be answered as any
    /// other.</returns>
    public KvmExit CompleteAccess()
    {
        Volatile.Write(ref _run->immediate_exit, 1);
        return Run();
    }

    /// <summary>
    /// Tells the guest's clock that the vCPU was paused, so that the guest's watchdogs do not take the pause for a hang
    /// (KVM_KVMCLOCK_CTRL, Documentation/virt/kvm/api.rst). The thread that runs the vCPU calls it after a pause.
    /// </summary>
    public void NotePause()
    {
        using var use = Use();
        // EINVAL: the guest does not use KVM's clock, so there is nothing to tell.
        if (Ioctl.ioctl(use.Fd, KVM_KVMCLOCK_CTRL, 0) < 0 && LinuxException.Last != Errno.EINVAL)
            LinuxException.Throw("KVM_KVMCLOCK_CTRL");
    }

    private KvmExit Interrupted(Errno errno)
    {
        // EAGAIN: the vCPU was waiting for its start-up interrupt, and something woke it.
        if (errno is not (Errno.EINTR or Errno.EAGAIN))
            throw new LinuxException("KVM_RUN", errno);
        // In this order: a kick after the flag is cleared sets it again, and the caller checks for requests after both.
        Volatile.Write(ref _run->immediate_exit, 0);
        Interlocked.MemoryBarrier();
        return KvmExit.Interrupted;
    }

    // Installs a handler that does nothing. It can't be managed code, since the signal may arrive while its thread is inside the runtime.
    // A system call that it interrupts is restarted (SA_RESTART), except those that never are, such as KVM_RUN (signal(7)).
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
