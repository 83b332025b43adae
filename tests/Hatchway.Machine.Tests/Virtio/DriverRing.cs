using System.Buffers.Binary;
using Hatchway.Machine.Tests.Boot;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>A descriptor as a driver writes it.</summary>
internal readonly record struct Piece(ulong Address, uint Length, bool IsWritable);

/// <summary>The driver's end of a queue, written from the specification alone: it shares no code with the device's end. Its parts are at
/// the offsets below from its start.</summary>
internal abstract class DriverRing(ArrayMemory memory, ushort size, ulong start)
{
    public const ulong Descriptors = 0x1000;
    public const ulong Driver = 0x3000;
    public const ulong Device = 0x4000;
    public const ulong IndirectTables = 0x5000;

    protected const ushort Next = 1;
    protected const ushort Write = 2;
    protected const ushort Indirect = 4;

    public ArrayMemory Memory => memory;

    public ushort Size => size;

    /// <summary>Offers a buffer.</summary>
    /// <returns>The id with which the device gives it back.</returns>
    public abstract ushort Offer(bool indirect, params ReadOnlySpan<Piece> pieces);

    /// <summary>Takes a buffer back.</summary>
    public abstract bool TryTake(out ushort id, out uint written);

    /// <summary>Asks for an interrupt after this many more buffers, by event index; 0 asks for each, null for none.</summary>
    public abstract void WantInterrupt(int? after);

    /// <summary>True when the device wants a notification for the buffer offered last, by event index or by flags.</summary>
    public abstract bool MustNotify(bool eventIndex);

    protected void Set16(ulong address, int value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(memory.Slice(start + address, 2), (ushort)value);

    protected void Set32(ulong address, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(memory.Slice(start + address, 4), value);

    protected void Set64(ulong address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(memory.Slice(start + address, 8), value);

    protected ushort Get16(ulong address) => memory.UInt16(start + address);

    protected uint Get32(ulong address) => memory.UInt32(start + address);
}

/// <summary>The split layout (VIRTIO 1.2 §2.7).</summary>
internal sealed class SplitDriver(ArrayMemory memory, ushort size, ulong start = 0) : DriverRing(memory, size, start)
{
    private ushort _free;
    private ushort _offered;
    private ushort _before;
    private ushort _taken;

    public override ushort Offer(bool indirect, params ReadOnlySpan<Piece> pieces)
    {
        var head = _free;
        if (indirect)
        {
            var table = IndirectTables + (ulong)(head * 0x100);
            for (var i = 0; i < pieces.Length; i++)
                WriteDescriptor(table + (ulong)(16 * i), pieces[i], i + 1 < pieces.Length ? i + 1 : null);
            Set64(Descriptors + (16ul * head), table);
            Set32(Descriptors + (16ul * head) + 8, (uint)pieces.Length * 16);
            Set16(Descriptors + (16ul * head) + 12, Indirect);
            _free = (ushort)((_free + 1) % Size);
        }
        else
        {
            for (var i = 0; i < pieces.Length; i++)
            {
                var at = _free;
                _free = (ushort)((_free + 1) % Size);
                WriteDescriptor(Descriptors + (16ul * at), pieces[i], i + 1 < pieces.Length ? _free : null);
            }
        }
        OfferHead(head);
        return head;
    }

    /// <summary>Offers the chain that begins at a descriptor, whatever it holds.</summary>
    public void OfferHead(ushort head)
    {
        Set16(Driver + 4 + (2ul * (uint)(_offered % Size)), head);
        _before = _offered++;
        Set16(Driver + 2, _offered);
    }

    public void WriteDescriptor(ulong at, Piece piece, int? next, ushort flags = 0)
    {
        Set64(at, piece.Address);
        Set32(at + 8, piece.Length);
        Set16(at + 12, flags | (piece.IsWritable ? Write : 0) | (next is null ? 0 : Next));
        Set16(at + 14, next ?? 0);
    }

    public override bool TryTake(out ushort id, out uint written)
    {
        (id, written) = (0, 0);
        if (Get16(Device + 2) == _taken)
            return false;
        var entry = Device + 4 + (8ul * (uint)(_taken++ % Size));
        id = (ushort)Get32(entry);
        written = Get32(entry + 4);
        return true;
    }

    public override void WantInterrupt(int? after)
    {
        Set16(Driver, after is null ? 1 : 0);
        Set16(Driver + 4 + (2ul * Size), _taken + (after ?? 0x8000));
    }

    public override bool MustNotify(bool eventIndex)
    {
        var wanted = Get16(Device + 4 + (8ul * Size));
        return eventIndex ? (ushort)(_offered - wanted - 1) < (ushort)(_offered - _before) : (Get16(Device) & 1) == 0;
    }
}

/// <summary>The packed layout (VIRTIO 1.2 §2.8).</summary>
internal sealed class PackedDriver(ArrayMemory memory, ushort size) : DriverRing(memory, size, 0)
{
    private readonly Queue<(ushort Id, int Entries)> _order = new();
    private int _at;
    private bool _wrap = true;
    private int _usedAt;
    private bool _usedWrap = true;
    private ushort _id;

    public override ushort Offer(bool indirect, params ReadOnlySpan<Piece> pieces)
    {
        var id = (ushort)(_id++ % Size);
        var entries = indirect ? 1 : pieces.Length;
        var head = _at;
        var headFlags = 0;
        if (indirect)
        {
            var table = IndirectTables + (ulong)(head * 0x100);
            for (var i = 0; i < pieces.Length; i++)
                Fill(table + (ulong)(16 * i), pieces[i], 0);
            Fill(Descriptors + (16ul * (uint)_at), new Piece(table, (uint)pieces.Length * 16, false), id);
            headFlags = Indirect | Turn();
            Advance();
        }
        else
        {
            for (var i = 0; i < pieces.Length; i++)
            {
                Fill(Descriptors + (16ul * (uint)_at), pieces[i], id);
                var flags = (pieces[i].IsWritable ? Write : 0) | (i + 1 < pieces.Length ? Next : 0) | Turn();
                if (i == 0)
                    headFlags = flags;
                else
                    Set16(Descriptors + (16ul * (uint)_at) + 14, flags);
                Advance();
            }
        }
        // The first descriptor's flags come last: they offer the whole buffer (§2.8.6).
        Set16(Descriptors + (16ul * (uint)head) + 14, headFlags);
        _order.Enqueue((id, entries));
        return id;
    }

    /// <summary>Offers one descriptor with the given flags unchanged.</summary>
    public void OfferRaw(Piece piece, ushort flags)
    {
        Fill(Descriptors + (16ul * (uint)_at), piece, 0);
        Set16(Descriptors + (16ul * (uint)_at) + 14, flags | Turn());
        Advance();
    }

    public override bool TryTake(out ushort id, out uint written)
    {
        var at = Descriptors + (16ul * (uint)_usedAt);
        var flags = Get16(at + 14);
        (id, written) = (Get16(at + 12), (flags & Write) != 0 ? Get32(at + 8) : 0);
        if (((flags >> 7) & 1) != (_usedWrap ? 1 : 0) || ((flags >> 15) & 1) != (_usedWrap ? 1 : 0))
            return false;
        var entries = 0;
        // Buffers may come back in another order: the id gives the number of entries.
        for (var i = _order.Count; i > 0; i--)
        {
            var (known, count) = _order.Dequeue();
            if (known == id && entries == 0)
                entries = count;
            else
                _order.Enqueue((known, count));
        }
        Assert.True(entries != 0);
        _usedAt += entries;
        if (_usedAt >= Size)
        {
            _usedAt -= Size;
            _usedWrap = !_usedWrap;
        }
        return true;
    }

    public override void WantInterrupt(int? after)
    {
        var place = _usedAt + (after ?? 0);
        var wrap = place >= Size ? !_usedWrap : _usedWrap;
        Set16(Driver, (place % Size) | (wrap ? 0x8000 : 0));
        Set16(Driver + 2, after is null ? 1 : after == 0 ? 0 : 2);
    }

    public override bool MustNotify(bool eventIndex)
    {
        var flags = Get16(Device + 2);
        if (flags != 2)
            return flags == 0;
        Assert.True(eventIndex);
        // Whether the last offered buffer is the one that the device waits for, or comes after it. With one at a time, it is the same
        // place.
        var wish = Get16(Device);
        var last = _at == 0 ? Size - 1 : _at - 1;
        return (wish & 0x7FFF) == last || _order.Count > 1;
    }

    private int Turn() => _wrap ? 1 << 7 : 1 << 15;

    private void Advance()
    {
        if (++_at < Size)
            return;
        _at = 0;
        _wrap = !_wrap;
    }

    private void Fill(ulong at, Piece piece, ushort id)
    {
        Set64(at, piece.Address);
        Set32(at + 8, piece.Length);
        Set16(at + 12, id);
        // In an indirect table only the write flag has a meaning; in the ring the flags are set later.
        if (at >= IndirectTables)
            Set16(at + 14, piece.IsWritable ? Write : 0);
    }
}
