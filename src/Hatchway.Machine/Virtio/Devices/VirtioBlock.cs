using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Hatchway.Machine.Virtio.Spec;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Virtio.Devices;

/// <summary>A disk (VIRTIO 1.2 §5.2). Data moves directly between the storage and the guest's memory.</summary>
public sealed class VirtioBlock : IVirtioDevice
{
    /// <summary>The queue's number of descriptors.</summary>
    public const ushort QueueSize = 128;

    // The most sectors of one discard or zero range, and the most ranges of a request: 1 GiB in all, which does not hold a worker for long.
    private const uint MaximumRangeSectors = 1 << 21;
    private const uint MaximumRanges = 1;
    private const uint MassStorageOther = 0x01_80_00;

    private readonly QueueMemory _memory;
    private readonly IBlockStorage _storage;
    private readonly byte[] _identity = new byte[Block.IdentityBytes];
    private readonly byte[] _configuration = new byte[BlockRegister.Bytes];
    private readonly GuestRange[][] _data;
    private readonly byte[][] _scratch;
    private bool _isWriteThrough;

    /// <summary>Makes a disk.</summary>
    /// <param name="memory">The guest's RAM.</param>
    /// <param name="storage">Stores the content.</param>
    /// <param name="identity">The disk's id, of which the first 20 bytes are used (§5.2.6, VIRTIO_BLK_T_GET_ID).</param>
    /// <param name="workers">The number of requests handled at once, at least 1.</param>
    public VirtioBlock(QueueMemory memory, IBlockStorage storage, string identity, int workers)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(storage);
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        _memory = memory;
        _storage = storage;
        Workers = workers;
        Encoding.UTF8.TryGetBytes(identity.AsSpan(0, Math.Min(identity.Length, Block.IdentityBytes)), _identity, out _);
        _data = new GuestRange[workers][];
        _scratch = new byte[workers][];
        for (var i = 0; i < workers; i++)
        {
            _data[i] = new GuestRange[DescriptorChain.MaximumSegments];
            _scratch[i] = new byte[MaximumRanges * Block.RangeBytes];
        }
        Features = BlockFeature.SegmentMaximum | BlockFeature.BlockSize | BlockFeature.Flush | BlockFeature.Topology
            | (storage.IsReadOnly ? BlockFeature.ReadOnly : BlockFeature.WriteZeroes)
            | (storage is { IsReadOnly: false, CanDiscard: true } ? BlockFeature.Discard : 0);
        FillConfiguration();
    }

    /// <inheritdoc/>
    public ushort DeviceType => Block.DeviceType;

    /// <inheritdoc/>
    public uint ClassCode => MassStorageOther;

    /// <inheritdoc/>
    public ulong Features { get; }

    /// <inheritdoc/>
    public IReadOnlyList<ushort> QueueSizes { get; } = [QueueSize];

    /// <inheritdoc/>
    public int ConfigurationBytes => BlockRegister.Bytes;

    /// <inheritdoc/>
    public int Workers { get; }

    /// <inheritdoc/>
    public ulong ReadConfiguration(int offset, AccessWidth width) => width.Load(_configuration.AsSpan(offset));

    /// <inheritdoc/>
    public void Start(ulong features) =>
        // A driver without VIRTIO_BLK_F_FLUSH relies on a completed request to be stable (§5.2.6.2).
        _isWriteThrough = (features & BlockFeature.Flush) == 0;

    /// <inheritdoc/>
    public uint Handle(int queue, int worker, DescriptorChain buffer)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        // A request without a status byte can't be answered.
        if (buffer.WritableBytes == 0)
            return 0;
        Span<byte> header = stackalloc byte[Block.HeaderBytes];
        var room = buffer.WritableBytes - 1;
        var written = 0ul;
        var status = buffer.Read(_memory, 0, header) < Block.HeaderBytes
            ? BlockStatus.Error
            : Execute(
                (BlockRequest)BinaryPrimitives.ReadUInt32LittleEndian(header),
                BinaryPrimitives.ReadUInt64LittleEndian(header[8..]),
                worker,
                buffer,
                room,
                out written);
        header[0] = (byte)status;
        buffer.Write(_memory, room, header[..1]);
        // The used length counts from the start, so it includes the status byte only after data that fills the rest (§2.7.8.2).
        return (uint)Math.Min(written == room ? room + 1 : written, uint.MaxValue);
    }

    private BlockStatus Execute(BlockRequest type, ulong sector, int worker, DescriptorChain buffer, ulong room, out ulong written)
    {
        written = 0;
        switch (type)
        {
            case BlockRequest.In:
                if (!TryPlace(sector, room, out var from))
                    return BlockStatus.Error;
                var into = _data[worker];
                if (!_storage.TryRead(from, into.AsSpan(0, DescriptorChain.Pick(buffer.Writable, 0, room, into))))
                    return BlockStatus.Error;
                written = room;
                return BlockStatus.Ok;
            case BlockRequest.Out:
                return Write(sector, worker, buffer);
            case BlockRequest.Flush:
                return Result(_storage.TryFlush());
            case BlockRequest.GetIdentity:
                written = (ulong)buffer.Write(_memory, 0, _identity.AsSpan(0, (int)Math.Min(room, Block.IdentityBytes)));
                return BlockStatus.Ok;
            case BlockRequest.Discard when (Features & BlockFeature.Discard) != 0:
            case BlockRequest.WriteZeroes when (Features & BlockFeature.WriteZeroes) != 0:
                return ChangeRanges(type, worker, buffer);
            default:
                return BlockStatus.Unsupported;
        }
    }

    private BlockStatus Write(ulong sector, int worker, DescriptorChain buffer)
    {
        var length = buffer.ReadableBytes - Block.HeaderBytes;
        if (_storage.IsReadOnly || !TryPlace(sector, length, out var to))
            return BlockStatus.Error;
        var from = _data[worker];
        return Result(
            _storage.TryWrite(to, from.AsSpan(0, DescriptorChain.Pick(buffer.Readable, Block.HeaderBytes, length, from)))
            && (!_isWriteThrough || _storage.TryFlush()));
    }

    private BlockStatus ChangeRanges(BlockRequest type, int worker, DescriptorChain buffer)
    {
        var scratch = _scratch[worker].AsSpan();
        var length = buffer.ReadableBytes - Block.HeaderBytes;
        if (length == 0 || length % Block.RangeBytes != 0 || length > (ulong)scratch.Length)
            return BlockStatus.Error;
        scratch = scratch[..(int)length];
        buffer.Read(_memory, Block.HeaderBytes, scratch);
        for (; scratch.Length > 0; scratch = scratch[Block.RangeBytes..])
        {
            var sectors = BinaryPrimitives.ReadUInt32LittleEndian(scratch[8..]);
            var flags = BinaryPrimitives.ReadUInt32LittleEndian(scratch[12..]);
            // Unknown flags, and any flag of a discard range, are unsupported (§5.2.6.2).
            if (flags > (type == BlockRequest.WriteZeroes ? Block.Unmap : 0))
                return BlockStatus.Unsupported;
            var bytes = (ulong)sectors * Block.SectorBytes;
            if (sectors > MaximumRangeSectors || !TryPlace(BinaryPrimitives.ReadUInt64LittleEndian(scratch), bytes, out var at))
                return BlockStatus.Error;
            if (sectors == 0)
                continue;
            if (!(type == BlockRequest.Discard ? _storage.TryDiscard(at, bytes) : _storage.TryWriteZeroes(at, bytes, flags != 0)))
                return BlockStatus.Error;
        }
        return Result(!_isWriteThrough || _storage.TryFlush());
    }

    // Computes a request's offset; false unless its data is whole sectors and lies on the disk.
    private bool TryPlace(ulong sector, ulong length, out ulong offset)
    {
        offset = sector * Block.SectorBytes;
        return length % Block.SectorBytes == 0
            && sector <= _storage.Length / Block.SectorBytes
            && length <= _storage.Length - offset;
    }

    private static BlockStatus Result(bool done) => done ? BlockStatus.Ok : BlockStatus.Error;

    private void FillConfiguration()
    {
        void Set32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_configuration.AsSpan(at), value);
        var blocks = _storage.LogicalBlock / Block.SectorBytes;
        BinaryPrimitives.WriteUInt64LittleEndian(_configuration.AsSpan(BlockRegister.Capacity), _storage.Length / Block.SectorBytes);
        // Header and status take a descriptor each.
        Set32(BlockRegister.SegmentMaximum, QueueSize - 2);
        Set32(BlockRegister.BlockSize, _storage.LogicalBlock);
        var exponent = BitOperations.Log2(_storage.PhysicalBlock / _storage.LogicalBlock);
        _configuration[BlockRegister.PhysicalBlockExponent] = (byte)exponent;
        // Unit: logical blocks.
        BinaryPrimitives.WriteUInt16LittleEndian(_configuration.AsSpan(BlockRegister.MinimumIoSize), (ushort)(1 << exponent));
        Set32(BlockRegister.MaximumDiscardSectors, MaximumRangeSectors);
        Set32(BlockRegister.MaximumDiscardRanges, MaximumRanges);
        Set32(BlockRegister.DiscardAlignment, blocks);
        Set32(BlockRegister.MaximumZeroSectors, MaximumRangeSectors);
        Set32(BlockRegister.MaximumZeroRanges, MaximumRanges);
        _configuration[BlockRegister.ZeroMayUnmap] = _storage.CanDiscard ? (byte)1 : (byte)0;
    }
}
