using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.KvmRequests;

namespace Hatchway.Linux.Kvm;

// How a vCPU is called back from the guest. The kick's signal is blocked in the vCPU's thread, always; KVM unblocks it while the guest runs
// (KVM_SET_SIGNAL_MASK). A signal that comes in the guest, or has come before it is entered, ends KVM_RUN with EINTR and stays pending,
// since the thread blocks it again: no handler ever runs. immediate_exit ends a KVM_RUN that is entered after it was set. Both are
// needed: the flag alone would not call a running guest back, and the signal alone would do, but be pending for ever if nobody took it.
public sealed unsafe partial class KvmVcpu
{
    /// <summary>The signal that ends KVM_RUN: SIGRTMIN is the runtime's.</summary>
    internal const int KickSignal = Libc.SIGRTMIN + 1;

    private readonly Lock _kickGate = new();
    private int _thread;

    /// <summary>Makes the calling thread the one that runs this vCPU, until the result is disposed by the same thread.</summary>
    /// <remarks>Holds the descriptor and the shared page open meanwhile. The thread must end afterwards or attach to a vCPU again: the
    /// kick's signal stays blocked in it.</remarks>
    public IDisposable Attach()
    {
        lock (_kickGate)
        {
            if (_thread != 0)
                throw new InvalidOperationException("the vCPU has a thread already");
            sigset_t kick = default;
            kick.__val[0] = KickBit;
            sigset_t before;
            // SAFETY: structures on the stack.
            var errno = Libc.pthread_sigmask(Libc.SIG_BLOCK, &kick, &before);
            if (errno != 0)
                throw new LinuxException("pthread_sigmask", (Errno)errno);
            SetSignalMask(before.__val[0] & ~KickBit);
            var held = false;
            DangerousAddRef(ref held);
            _mapping.DangerousAddRef(ref held);
            // None can be pending yet. But the first call of a native function allocates, and later this is called between two runs of
            // the guest.
            TakeKicks();
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

    private static ulong KickBit => 1ul << (KickSignal - 1);

    private KvmExit Interrupted(Errno errno)
    {
        // EAGAIN: the vCPU was waiting to be started, and something woke it.
        if (errno is not (Errno.EINTR or Errno.EAGAIN))
            throw new LinuxException("KVM_RUN", errno);
        // In this order: a kick after the flag is cleared sets it again, and the look at requests comes after both.
        Volatile.Write(ref _run->immediate_exit, 0);
        TakeKicks();
        Interlocked.MemoryBarrier();
        return KvmExit.Interrupted;
    }

    private static void TakeKicks()
    {
        sigset_t kick = default;
        kick.__val[0] = KickBit;
        var now = default(timespec);
        // SAFETY: structures on the stack. Real-time signals queue: all are taken.
        while (Libc.sigtimedwait(&kick, null, &now) > 0 || LinuxException.Last == Errno.EINTR)
        {
        }
    }

    private void SetSignalMask(ulong mask)
    {
        const uint KernelSetBytes = 8;
        // The structure's bytes follow its length without padding.
        var bytes = stackalloc byte[sizeof(kvm_signal_mask) + (int)KernelSetBytes];
        ((kvm_signal_mask*)bytes)->len = KernelSetBytes;
        // SAFETY: the buffer holds the header and eight bytes.
        *(ulong*)(bytes + sizeof(kvm_signal_mask)) = mask;
        Call(KVM_SET_SIGNAL_MASK, bytes, "KVM_SET_SIGNAL_MASK");
    }

    private void Detach()
    {
        lock (_kickGate)
        {
            _thread = 0;
            TakeKicks();
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
