using System.Diagnostics.CodeAnalysis;
using Hatchway.Machine.Virtio.Spec;

namespace Hatchway.Machine.Virtio;

/// <summary>A queue that workers serve, until the driver stops it or makes a mistake.</summary>
/// <remarks>
/// <c>_gate</c> guards the ring and the counts; only interrupts' locks are taken under it. It is held while a buffer is taken or given
/// back, and never while one is handled.
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

    /// <summary>Counts buffers given back, and interrupts raised for them. Any thread.</summary>
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

    /// <summary>Stops serving. When it returns, no worker has a buffer or can take one.</summary>
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
    /// <param name="from">The ring to take from; a ring that replaced it has a notification of its own.</param>
    /// <param name="buffer">Receives the buffer.</param>
    /// <param name="wake">True when the caller should wake another thread: there are more buffers, and a thread is free.</param>
    /// <returns>False when there is no buffer; the driver notifies when there is one again.</returns>
    public bool TryTake(IVirtQueue from, DescriptorChain buffer, out bool wake)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        wake = false;
        lock (_gate)
        {
            if (_isStopping || _ring is not { } ring || !ReferenceEquals(ring, from) || !TryTake(ring, buffer))
                return false;
            _busy++;
            wake = Share(ring);
            return true;
        }
    }

    /// <summary>Gives a buffer back, and interrupts the driver if it wants that.</summary>
    /// <param name="buffer">The buffer.</param>
    /// <param name="written">Bytes written to it, from the start of its writable part.</param>
    public void Complete(DescriptorChain buffer, uint written)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        lock (_gate)
        {
            // The interrupt comes before the queue can be found idle, since there must be none after a reset (§2.4).
            GiveBack(new ReadOnlySpan<DescriptorChain>(in buffer), new ReadOnlySpan<uint>(in written));
            Leave();
        }
    }

    /// <summary>Lets the calling thread keep buffers and give them back, until <see cref="Leave"/>.</summary>
    /// <param name="ring">The current ring; buffers kept from another one belong to the driver again.</param>
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
    /// <returns>False when there is none; the driver then notifies of the next.</returns>
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

    /// <summary>Gives several buffers back at once, and interrupts the driver if it wants that.</summary>
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

    /// <summary>Ends what <see cref="TryEnter"/> began, or drops a buffer that could not be handled, which the driver does not get
    /// back.</summary>
    internal void Leave()
    {
        lock (_gate)
        {
            if (--_busy == 0 && _isStopping)
                Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Stops serving, because the driver has made a mistake and must reset the device.</summary>
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

    // With the gate held. On an empty queue it asks the driver to notify, then looks once more for a buffer that came before that.
    private bool TryTake(IVirtQueue ring, DescriptorChain buffer)
    {
        var found = ring.TryTake(buffer);
        while (found == TakeResult.Empty && Resume(ring))
            found = ring.TryTake(buffer);
        if (found == TakeResult.Broken)
            Break();
        return found == TakeResult.Taken;
    }

    // While a worker is free, it asks the driver to notify, which also reveals a buffer already there. While all are busy, a notification
    // would be a wasted cost: they look for more themselves.
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

    // Asks the driver to notify; true when a buffer came before that.
    private bool Resume(IVirtQueue ring)
    {
        if (!_isSuppressed)
            return false;
        _isSuppressed = false;
        return ring.ResumeNotifications();
    }
}
