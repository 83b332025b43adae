using Hatchway.Pci.Address;

namespace Hatchway.Machine.Devices;

/// <summary>
/// A parallel flash chip, 8 bits wide, with Intel's command set 0001 (JEDEC JEP137, Intel AP-646 "Common Flash Memory Interface").
/// </summary>
/// <remarks>
/// <code>
/// FF, 00        read the array: the content is memory            70     read status
/// 10 or 40, D   program the byte D                               50     clear status, read the array
/// 20, D0        erase the block                                  90     read identifiers
/// E8, N, ..., D0  program N + 1 bytes of one block               98     CFI query
/// </code>
/// <para>Two things are as in QEMU's chip, for which edk2's driver is written, and unlike real chips: clearing the status also clears its
/// ready bit, by which the driver tells flash from RAM; and programming sets bits as well as clearing them. Nothing takes time: a command
/// is complete after its last cycle.</para>
/// <para>Any thread. In read-array mode the content is mapped into the guest, so that reading and executing it cost no exits.</para>
/// </remarks>
public sealed class PFlash : IAddressTarget, IByteRegisters
{
    /// <summary>Bytes that are erased together.</summary>
    public const int BlockSize = 4096;

    private const byte Erased = 0xFF;
    private const byte Confirm = 0xD0;

    // Intel's manufacturer id and the 28F128J3's device id, as QEMU's chip reports.
    private const byte Manufacturer = 0x89;
    private const byte DeviceId = 0x18;

    private readonly IFlashMemory _memory;
    private readonly byte[] _query;

    // Guards the fields below and the content. The mapping is also changed under it, so that it agrees with the mode.
    private readonly Lock _lock = new();
    private readonly byte[] _buffer = new byte[256];
    private Mode _mode;
    private Status _status;
    private int _left;
    private int _bufferStart;
    private int _bufferEnd;

    private enum Mode
    {
        Array,
        ReadStatus,
        Identifiers,
        Query,
        Program,
        EraseConfirm,
        LockConfirm,
        BufferCount,
        BufferData,
        BufferConfirm,
    }

    private enum Command : byte
    {
        ReadArrayOld = 0x00,
        ProgramOld = 0x10,
        Erase = 0x20,
        Program = 0x40,
        ClearStatus = 0x50,
        Lock = 0x60,
        ReadStatus = 0x70,
        Identifiers = 0x90,
        Query = 0x98,
        Buffer = 0xE8,
        ReadArray = 0xFF,
    }

    [Flags]
    private enum Status : byte
    {
        None = 0,
        ProgramError = 1 << 4,
        EraseError = 1 << 5,
        SequenceError = ProgramError | EraseError,
        Ready = 1 << 7,
    }

    /// <summary>Makes a chip in read-array mode, as after a reset, with its content mapped.</summary>
    /// <param name="memory">Its content: a whole number of blocks.</param>
    public PFlash(IFlashMemory memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentOutOfRangeException.ThrowIfZero(memory.Content.Length, nameof(memory));
        ArgumentOutOfRangeException.ThrowIfNotEqual(memory.Content.Length % BlockSize, 0, nameof(memory));
        _memory = memory;
        _query = CfiQuery(memory.Content.Length);
        memory.Show();
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width) => ByteRegisters.Read(this, offset, width);

    /// <inheritdoc/>
    /// <remarks>A command is the lowest byte, whatever the width; data is written as bytes in ascending order.</remarks>
    public void Write(ulong offset, AccessWidth width, ulong value)
    {
        lock (_lock)
        {
            var isData = _mode is Mode.Program or Mode.BufferData;
            for (var i = 0; i < (isData ? (int)width : 1); i++)
                Cycle((int)offset + i, (byte)(value >> (8 * i)), isData && i > 0);
        }
    }

    byte IByteRegisters.ReadRegister(int port)
    {
        lock (_lock)
        {
            return _mode switch
            {
                Mode.Array => _memory.Content[port],
                Mode.Identifiers => (port & 0xFF) switch { 0 => Manufacturer, 1 => DeviceId, _ => 0 },
                Mode.Query => (port & 0xFF) < _query.Length ? _query[port & 0xFF] : (byte)0,
                _ => (byte)_status,
            };
        }
    }

    void IByteRegisters.WriteRegister(int port, byte value) => Write((ulong)port, AccessWidth.Byte, value);

    // Executes one bus cycle. A later byte of a wide data write is still data, even if an earlier byte has completed the command.
    private void Cycle(int offset, byte value, bool continues)
    {
        switch (_mode)
        {
            case Mode.Program:
            case Mode.ReadStatus when continues:
                Program(offset, [value]);
                break;
            case Mode.EraseConfirm:
                Finish(value == Confirm ? Erase(offset) : Status.SequenceError);
                break;
            case Mode.LockConfirm:
                // No block is ever locked.
                Finish(Status.None);
                break;
            case Mode.BufferCount:
                StartBuffer(value);
                break;
            case Mode.BufferData:
                AddToBuffer(offset, value);
                break;
            case Mode.BufferConfirm when !continues:
                EndBuffer(value);
                break;
            case Mode.BufferConfirm:
                break;
            default:
                Start((Command)value);
                break;
        }
    }

    private void Start(Command command)
    {
        switch (command)
        {
            case Command.ProgramOld or Command.Program:
                Enter(Mode.Program);
                break;
            case Command.Erase:
                Enter(Mode.EraseConfirm);
                break;
            case Command.Lock:
                Enter(Mode.LockConfirm);
                break;
            case Command.ReadStatus:
                Enter(Mode.ReadStatus);
                break;
            case Command.Identifiers:
                Enter(Mode.Identifiers);
                break;
            case Command.Query:
                Enter(Mode.Query);
                break;
            case Command.Buffer:
                _status |= Status.Ready;
                Enter(Mode.BufferCount);
                break;
            case Command.ClearStatus:
                _status = Status.None;
                Enter(Mode.Array);
                break;
            default:
                // Read array: by its command, or for an unknown one.
                Enter(Mode.Array);
                break;
        }
    }

    private void Program(int offset, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_memory.Content[offset..]);
        Finish(_memory.TryKeep(offset, bytes.Length) ? Status.None : Status.ProgramError);
    }

    private Status Erase(int offset)
    {
        var start = offset & ~(BlockSize - 1);
        _memory.Content.Slice(start, BlockSize).Fill(Erased);
        return _memory.TryKeep(start, BlockSize) ? Status.None : Status.EraseError;
    }

    private void StartBuffer(byte count)
    {
        (_left, _bufferStart) = (count + 1, -1);
        Enter(Mode.BufferData);
    }

    private void AddToBuffer(int offset, byte value)
    {
        // The range begins at the first byte's offset and ends at its block's end at the latest. Bytes of it that are not written keep
        // their value.
        if (_bufferStart < 0)
        {
            (_bufferStart, _bufferEnd) = (offset, Math.Min(offset | (BlockSize - 1), offset + _left - 1));
            _memory.Content[_bufferStart..(_bufferEnd + 1)].CopyTo(_buffer);
        }
        // Data outside the range is dropped.
        if (offset >= _bufferStart && offset <= _bufferEnd)
            _buffer[offset - _bufferStart] = value;
        if (--_left == 0)
            Enter(Mode.BufferConfirm);
    }

    private void EndBuffer(byte value)
    {
        if (value == Confirm)
            Program(_bufferStart, _buffer.AsSpan(0, _bufferEnd - _bufferStart + 1));
        else
            Finish(Status.SequenceError);
    }

    private void Finish(Status errors)
    {
        _status |= Status.Ready | errors;
        Enter(Mode.ReadStatus);
    }

    private void Enter(Mode mode)
    {
        if (mode != Mode.Array && _mode == Mode.Array)
            _memory.Hide();
        else if (mode == Mode.Array && _mode != Mode.Array)
            _memory.Show();
        _mode = mode;
    }

    // JEP137 §4: identification from 10h, system interface from 1Bh, geometry from 27h.
    private static byte[] CfiQuery(int length)
    {
        var blocks = (length / BlockSize) - 1;
        var query = new byte[0x31];
        "QRY"u8.CopyTo(query.AsSpan(0x10));
        // Command set 0001, without its extended table.
        query[0x13] = 1;
        // Supply of 4.5 V to 5.5 V.
        query[0x1B] = 0x45;
        query[0x1C] = 0x55;
        // The size as a power of two, rounded up.
        query[0x27] = (byte)System.Numerics.BitOperations.Log2(System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length));
        // A write buffer of 2^8 bytes.
        query[0x2A] = 8;
        // One region: the number of blocks less one, and the block size in units of 256 bytes.
        query[0x2C] = 1;
        query[0x2D] = (byte)blocks;
        query[0x2E] = (byte)(blocks >> 8);
        query[0x2F] = BlockSize / 256 % 256;
        query[0x30] = BlockSize / 256 / 256;
        return query;
    }
}
