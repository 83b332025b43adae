using System.Diagnostics.CodeAnalysis;
using Hatchway.Machine.Virtio.Spec;

namespace Hatchway.Machine.Virtio;

/// <summary>A queue while it is served: by several threads, until the driver or a mistake of the driver's ends it.</summary>
/// <remarks>
/// <c>_gate</c> guards the ring and the counts; a leaf, but for the eventfd that an interrupt is. It is held while a buffer is taken or
/// given back, and never while one is handled.
/// </remarks>
internal sealed class VirtioQueue
{
    private readonly object _gate = new();
    private readonly VirtioInterrupts _interrupts;
    private readonly Action _broken;
    private readonly int _workers;
    private IVirtQueue? _ring;
    private int _busy;
    private bool _isStopping;
    private bool _isSuppressed;
    private int _vector = VirtioPci.NoVector;
    private long _buffers;
    private long _raised;

    internal VirtioQueue(VirtioInterrupts interrupts, int workers, Action broken)
    {
        _interrupts = interrupts;
        _workers = workers;
        _broken = broken;
    }

    /// <summary>The vector that the driver has chosen for the queue.</summary>
    internal ushort Vector
    {
        get => (ushort)Volatile.Read(ref _vector);
        set => Volatile.Write(ref _vector, value);
    }

    /// <summary>Buffers given back, and interrupts raised for them. Any thread.</summary>
    internal (long Buffers, long Interrupts) Counted => (Volatile.Read(ref _buffers), Volatile.Read(ref _raised));

    internal void Start(IVirtQueue ring)
    {
        lock (_gate)
        {
            _ring = ring;
            _isStopping = _isSuppressed = false;
            ring.ResumeNotifications();
        }
    }

    /// <summary>Ends serving: when it returns, no buffer is in a worker's hands and none will be.</summary>
    internal void Stop()
    {
        lock (_gate)
        {
            _isStopping = true;
            while (_busy > 0)
                Monitor.Wait(_gate);
            _ring = null;
        }
    }

    /// <summary>Takes a buffer for the calling thread, which handles it and gives it back by <see cref="Complete"/>.</summary>
    /// <param name="buffer">Filled.</param>
    /// <param name="wake">True when there is more, and a thread that could take it: wake one.</param>
    /// <returns>False when there is nothing to do; the driver notifies when there is again.</returns>
    public bool TryTake(DescriptorChain buffer, out bool wake)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        wake = false;
        lock (_gate)
        {
            if (_isStopping || _ring is not { } ring || !TryTake(ring, buffer))
                return false;
            _busy++;
            wake = Share(ring);
            return true;
        }
    }

    /// <summary>Gives a buffer back and tells the driver, if it wants to be told.</summary>
    /// <param name="buffer">The buffer.</param>
    /// <param name="written">Bytes written to it, from the start of its writable part.</param>
    public void Complete(DescriptorChain buffer, uint written)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        lock (_gate)
        {
            // Before the queue can be found idle: after a reset nothing may interrupt (§2.4).
            GiveBack(new ReadOnlySpan<DescriptorChain>(in buffer), new ReadOnlySpan<uint>(in written));
            Leave();
        }
    }

    /// <summary>Lets the calling thread keep buffers and give them back, until <see cref="Leave"/>.</summary>
    /// <param name="ring">The ring that they are of: kept buffers of another are the driver's again.</param>
    /// <returns>False while the queue is not served.</returns>
    internal bool TryEnter([NotNullWhen(true)] out IVirtQueue? ring)
    {
        lock (_gate)
        {
            ring = _isStopping ? null : _ring;
            _busy += ring is null ? 0 : 1;
            return ring is not null;
        }
    }

    /// <summary>Takes a buffer to keep, between <see cref="TryEnter"/> and <see cref="Leave"/>.</summary>
    /// <returns>False when there is none; the driver notifies when there is.</returns>
    internal bool TryKeep(DescriptorChain buffer)
    {
        lock (_gate)
        {
            if (_ring is not { } ring || !TryTake(ring, buffer))
                return false;
            Suppress(ring);
            return true;
        }
    }

    /// <summary>Gives buffers back at once and tells the driver, if it wants to be told.</summary>
    internal void GiveBack(ReadOnlySpan<DescriptorChain> buffers, ReadOnlySpan<uint> written)
    {
        lock (_gate)
        {
            if (_ring is not { } ring)
                return;
            ring.Complete(buffers, written);
            Volatile.Write(ref _buffers, _buffers + buffers.Length);
            if (!ring.NeedsInterrupt())
                return;
            Volatile.Write(ref _raised, _raised + 1);
            _interrupts.Raise(Vector, VirtioPci.IsrQueue);
        }
    }

    /// <summary>Ends what <see cref="TryEnter"/> began, or lets a buffer go that could not be handled:
    /// the driver does not get it back.</summary>
    internal void Leave()
    {
        lock (_gate)
        {
            if (--_busy == 0 && _isStopping)
                Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Ends serving: the driver has made a mistake, and must reset the device.</summary>
    internal void Break()
    {
        lock (_gate)
        {
            if (_ring is null)
                return;
            _ring = null;
            _broken();
        }
    }

    // With the gate. When there is none the driver is to notify, and what it offered before it could know is looked for once more.
    private bool TryTake(IVirtQueue ring, DescriptorChain buffer)
    {
        var found = ring.TryTake(buffer);
        while (found == TakeResult.Empty && Resume(ring))
            found = ring.TryTake(buffer);
        if (found == TakeResult.Broken)
            Break();
        return found == TakeResult.Taken;
    }

    // While a thread is free, the driver's next notification is to wake it, and to say so tells whether one was missed. When all are busy
    // it would only cost: they look for more themselves.
    private bool Share(IVirtQueue ring)
    {
        if (_busy < _workers)
        {
            _isSuppressed = false;
            return ring.ResumeNotifications();
        }
        Suppress(ring);
        return false;
    }

    private void Suppress(IVirtQueue ring)
    {
        if (_isSuppressed)
            return;
        _isSuppressed = true;
        ring.SuppressNotifications();
    }

    // True when there is a buffer after all.
    private bool Resume(IVirtQueue ring)
    {
        if (!_isSuppressed)
            return false;
        _isSuppressed = false;
        return ring.ResumeNotifications();
    }
}
