using System.Buffers.Binary;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Interrupts;

/// <summary>The guest's MSI-X table, which is applied to the host's vectors (PCIe 6.0 §7.7.2).</summary>
/// <remarks>
/// The guest sees this table; the device's own belongs to the host. Vectors are bound as they are unmasked. <c>_gate</c> guards all state.
/// It is taken after a function's effects lock, and held while the host's vectors are switched, which takes further locks. Any thread may
/// call.
/// </remarks>
public sealed class MsixTable : IBarHandler
{
    private readonly IMessageInterrupts _host;
    private readonly byte[] _entries;
    private readonly MsiMessage?[] _bound;
    private readonly Lock _gate = new();
    private bool _enabled;
    private bool _functionMasked;

    /// <summary>Creates a table of <paramref name="count"/> entries, all masked (§7.7.2.8: the mask bit is set after reset).</summary>
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

    /// <summary>Number of vectors.</summary>
    public int Count => _bound.Length;

    /// <summary>Answers for the pending bit array (PBA).</summary>
    public IBarHandler Pba { get; }

    /// <summary>Switches MSI-X on, unless it is on, and applies the function mask of the capability's control register.</summary>
    /// <returns>False when the host could not switch MSI-X on, for a reason that it logged.</returns>
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

    /// <summary>Switches MSI-X off, and keeps the entries.</summary>
    public void Disable()
    {
        lock (_gate)
            SwitchOff();
    }

    /// <summary>Sets the state after a reset: MSI-X off, every entry zero and masked.</summary>
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
            // An unaligned access, for which the specification defines no result (§7.7.2), may touch two entries.
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

    /// <summary>The pending bits: read-only, each set while a masked vector has a pending interrupt.</summary>
    /// <remarks>
    /// Once the guest has unmasked a vector, the device signals it to the host, which keeps it pending while the guest has it masked.
    /// Before that, the vector is masked in the device's own table, and the device keeps the pending bit.
    /// </remarks>
    private sealed class PendingBits(MsixTable table) : IBarHandler
    {
        public ulong Read(in BarAccess access)
        {
            // Read before the gate is taken, since an access to the device takes long. If it does not answer, it has no pending bits.
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
