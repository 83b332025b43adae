using System.Buffers.Binary;
using System.Text;
using Hatchway.Machine.Memory;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Devices;

/// <summary>QEMU's firmware configuration device: named blocks of bytes for firmware to read (QEMU docs/specs/fw_cfg.rst).</summary>
/// <remarks>
/// <code>
/// port    bytes  register
/// 0x510   2      selector, write-only
/// 0x511   1      data: the next byte of the selected item; it shares a port with the selector's upper half
/// 0x514   8      DMA: the big-endian address of a request; writing the lower half starts it
/// </code>
/// <para>Every item is read-only to the guest. Items are added before the guest runs. After that any thread may call; but selecting and
/// reading are separate accesses, which the guest must serialise.</para>
/// </remarks>
public sealed class FwCfg : IAddressTarget
{
    /// <summary>The first port.</summary>
    public const ushort FirstPort = 0x510;

    /// <summary>The number of ports.</summary>
    public const byte PortCount = 12;

    /// <summary>The item with the number of CPUs, 16 bits, little-endian.</summary>
    public const ushort CpuCountKey = 0x05;

    /// <summary>The longest name of a file, in characters.</summary>
    public const int LongestName = 55;

    private const ushort SignatureKey = 0x00;
    private const ushort FeaturesKey = 0x01;
    private const ushort DirectoryKey = 0x19;
    private const ushort FirstFileKey = 0x20;
    private const uint Features = 0b11;

    private const int DataOffset = 1;
    private const int DmaOffset = 4;
    private const int DmaLowOffset = 8;

    // "QEMU CFG": the DMA register's value when it is read.
    private const ulong DmaSignature = 0x5145_4D55_2043_4647;

    private const int DirectoryEntry = 64;
    private const int RequestLength = 16;

    private readonly IGuestMemory _memory;
    private readonly Dictionary<ushort, byte[]> _items = [];
    private readonly SortedDictionary<string, byte[]> _files = new(StringComparer.Ordinal);

    // Guards the fields below. RAM is accessed under it.
    private readonly Lock _lock = new();
    private byte[] _selected = [];
    private ulong _position;
    private uint _dmaHigh;

    [Flags]
    private enum Control : uint
    {
        Error = 1 << 0,
        Read = 1 << 1,
        Skip = 1 << 2,
        Select = 1 << 3,
        Write = 1 << 4,
    }

    /// <summary>Makes a device without files.</summary>
    /// <param name="memory">The guest's RAM, for DMA.</param>
    public FwCfg(IGuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        _memory = memory;
        _items[SignatureKey] = "QEMU"u8.ToArray();
        _items[FeaturesKey] = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(_items[FeaturesKey], Features);
        Number();
    }

    /// <summary>Adds an item without a name.</summary>
    public void Add(ushort key, byte[] content) => _items.Add(key, content);

    /// <summary>Adds a file.</summary>
    /// <param name="name">1 to <see cref="LongestName"/> ASCII characters.</param>
    /// <param name="content">What the guest reads; not copied.</param>
    /// <exception cref="ArgumentException">The name exists already, or is not valid.</exception>
    public void Add(string name, byte[] content)
    {
        if (!IsName(name))
            throw new ArgumentException($"'{name}' can't be the name of a file of fw_cfg", nameof(name));
        _files.Add(name, content);
        Number();
    }

    /// <summary>True when a text can be a file's name.</summary>
    public static bool IsName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Length is > 0 and <= LongestName && name.All(static c => c is > ' ' and < '\x7F');
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width)
    {
        if (offset >= DmaOffset)
            return ReadSignature((int)offset - DmaOffset, width);
        if (offset != DataOffset || width != AccessWidth.Byte)
            return 0;
        lock (_lock)
            return NextByte();
    }

    /// <inheritdoc/>
    public void Write(ulong offset, AccessWidth width, ulong value)
    {
        lock (_lock)
        {
            switch (offset, width)
            {
                case (0, AccessWidth.Word):
                    Select((ushort)value);
                    break;
                case (DmaOffset, AccessWidth.Dword):
                    _dmaHigh = BinaryPrimitives.ReverseEndianness((uint)value);
                    break;
                case (DmaLowOffset, AccessWidth.Dword):
                    var address = ((ulong)_dmaHigh << 32) | BinaryPrimitives.ReverseEndianness((uint)value);
                    _dmaHigh = 0;
                    Transfer(address);
                    break;
                default:
                    // QEMU has not accepted data writes since 2.4, and other widths have no meaning.
                    break;
            }
        }
    }

    private static ulong ReadSignature(int offset, AccessWidth width)
    {
        var value = BinaryPrimitives.ReverseEndianness(DmaSignature) >> (8 * offset);
        return value & width.AllOnes();
    }

    private void Select(ushort key)
    {
        _selected = _items.TryGetValue(key, out var content) ? content : [];
        _position = 0;
    }

    private byte NextByte() => _position < (ulong)_selected.Length ? _selected[_position++] : (byte)0;

    private void Transfer(ulong address)
    {
        // A request outside RAM can't be answered: the answer would go there.
        if (!TryFind(address, RequestLength, out var request))
            return;
        var control = BinaryPrimitives.ReadUInt32BigEndian(request);
        var length = BinaryPrimitives.ReadUInt32BigEndian(request[4..]);
        var target = BinaryPrimitives.ReadUInt64BigEndian(request[8..]);
        if (((Control)control & Control.Select) != 0)
            Select((ushort)(control >> 16));
        var done = true;
        if (((Control)control & Control.Read) != 0)
            done = TryRead(target, length);
        else if (((Control)control & Control.Write) != 0)
            done = false;
        else if (((Control)control & Control.Skip) != 0)
            _position += length;
        BinaryPrimitives.WriteUInt32BigEndian(request, done ? 0u : (uint)Control.Error);
    }

    // Bytes past the item's end read as zero.
    private bool TryRead(ulong target, uint length)
    {
        if (length > int.MaxValue || !TryFind(target, (int)length, out var room))
            return false;
        var from = Math.Min(_position, (ulong)_selected.Length);
        var piece = _selected.AsSpan((int)from, (int)Math.Min(length, (ulong)_selected.Length - from));
        piece.CopyTo(room);
        room[piece.Length..].Clear();
        _position = from + (ulong)piece.Length;
        return true;
    }

    private bool TryFind(ulong address, int length, out Span<byte> bytes)
    {
        for (var i = 0; i < _memory.Ranges.Count; i++)
        {
            if (!_memory.Ranges[i].Holds(address, (ulong)length))
                continue;
            bytes = _memory.Slice(address, length);
            return true;
        }
        bytes = [];
        return false;
    }

    // Keys follow the order of names. They may still change, since the guest does not run yet.
    private void Number()
    {
        var directory = new byte[sizeof(uint) + (_files.Count * DirectoryEntry)];
        BinaryPrimitives.WriteUInt32BigEndian(directory, (uint)_files.Count);
        var key = FirstFileKey;
        var entry = directory.AsSpan(sizeof(uint));
        foreach (var (name, content) in _files)
        {
            BinaryPrimitives.WriteUInt32BigEndian(entry, (uint)content.Length);
            BinaryPrimitives.WriteUInt16BigEndian(entry[4..], key);
            Encoding.ASCII.GetBytes(name, entry[8..]);
            _items[key++] = content;
            entry = entry[DirectoryEntry..];
        }
        _items[DirectoryKey] = directory;
    }
}
