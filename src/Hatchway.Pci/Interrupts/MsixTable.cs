using System.Buffers.Binary;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Interrupts;

/// <summary>The MSI-X table as the guest programs it, carried over to the host's vectors (PCIe 6.0 §7.7.2).</summary>
/// <remarks>
/// The table that the guest sees is here; the device's own belongs to the host. Vectors are bound as they are unmasked. All state is
/// guarded by <c>_gate</c>: taken after a function's effects lock, and held while the host's vectors are switched, which has locks of its
/// own. Any thread may call.
/// </remarks>
public sealed class MsixTable : IBarHandler
{
    private readonly IMessageInterrupts _host;
    private readonly byte[] _entries;
    private readonly MsiMessage?[] _bound;
    private readonly Lock _gate = new();
    private bool _enabled;
    private bool _functionMasked;

    /// <summary>Makes a table of <paramref name="count"/> entries, all masked (§7.7.2.8: the mask bit is set after reset).</summary>
    public MsixTable(int count, IMessageInterrupts host)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _host = host;
        _entries = new byte[count * Msix.EntryBytes];
        _bound = new MsiMessage?[count];
        Pba = new PendingBits(this);
        MaskAll();
    }

    /// <summary>Vectors.</summary>
    public int Count => _bound.Length;

    /// <summary>Answers for the pending bit array (PBA).</summary>
    public IBarHandler Pba { get; }

    /// <summary>Switches MSI-X on, unless it is, with the function mask that the capability's control register has.</summary>
    /// <returns>False when the host could not switch MSI-X on; it said why.</returns>
    public bool TryEnable(bool functionMasked)
    {
        lock (_gate)
        {
            if (!_enabled && !_host.TryEnable(Count))
                return false;
            _enabled = true;
            _functionMasked = functionMasked;
            for (var vector = 0; vector < Count; vector++)
                Apply(vector);
            return true;
        }
    }

    /// <summary>Switches MSI-X off; the entries stay.</summary>
    public void Disable()
    {
        lock (_gate)
            SwitchOff();
    }

    /// <summary>The state after a reset: off, every entry zero and masked.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            SwitchOff();
            MaskAll();
        }
    }

    /// <inheritdoc/>
    public ulong Read(in BarAccess access)
    {
        lock (_gate)
            return access.Width.Load(_entries.AsSpan((int)access.HandlerOffset));
    }

    /// <inheritdoc/>
    public void Write(in BarAccess access, ulong value)
    {
        lock (_gate)
        {
            var at = (int)access.HandlerOffset;
            access.Width.Store(_entries.AsSpan(at), value);
            // An access may touch two entries when it is not aligned, which the specification leaves open (§7.7.2).
            for (var vector = at / Msix.EntryBytes; vector <= (at + (int)access.Width - 1) / Msix.EntryBytes; vector++)
                Apply(vector);
        }
    }

    private void SwitchOff()
    {
        if (_enabled)
            _host.Disable();
        Array.Clear(_bound);
        _enabled = _functionMasked = false;
    }

    private void MaskAll()
    {
        Array.Clear(_entries);
        for (var vector = 0; vector < Count; vector++)
            _entries[(vector * Msix.EntryBytes) + Msix.VectorControl] = (byte)Msix.VectorMasked;
    }

    private void Apply(int vector)
    {
        var entry = _entries.AsSpan(vector * Msix.EntryBytes, Msix.EntryBytes);
        var masked = !_enabled || _functionMasked || (entry[Msix.VectorControl] & Msix.VectorMasked) != 0;
        if (masked)
        {
            if (_bound[vector] is null)
                return;
            _host.Mask(vector);
            _bound[vector] = null;
            return;
        }
        var message = new MsiMessage(
            BinaryPrimitives.ReadUInt64LittleEndian(entry) & ~3ul, BinaryPrimitives.ReadUInt32LittleEndian(entry[Msix.MessageData..]));
        if (_bound[vector] != message && _host.TryUnmask(vector, message))
            _bound[vector] = message;
    }

    /// <summary>The pending bits: read-only, set while a masked vector holds an interrupt back.</summary>
    /// <remarks>
    /// A vector that the guest has unmasked once signals to the host, which keeps what comes while it is masked. Before that the vector is
    /// masked in the device's own table, and the device keeps the bit.
    /// </remarks>
    private sealed class PendingBits(MsixTable table) : IBarHandler
    {
        public ulong Read(in BarAccess access)
        {
            // Before the gate is taken: an access to the device takes long. A device that does not answer holds nothing back.
            if (!access.TryReadHost(out var device))
                device = 0;
            lock (table._gate)
            {
                var value = 0ul;
                var first = (int)access.HandlerOffset * 8;
                for (var i = 0; table._enabled && i < (int)access.Width * 8 && first + i < table.Count; i++)
                {
                    if (table._bound[first + i] is null && ((device >> i & 1) != 0 || table._host.IsPending(first + i)))
                        value |= 1ul << i;
                }
                return value;
            }
        }

        public void Write(in BarAccess access, ulong value)
        {
        }
    }
}
