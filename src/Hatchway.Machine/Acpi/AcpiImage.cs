using System.Buffers.Binary;

namespace Hatchway.Machine.Acpi;

/// <summary>The two blocks that hold the tables.</summary>
internal enum AcpiBlock
{
    Tables,
    Rsdp,
}

/// <summary>A field that holds an address, as an offset into the tables until they are placed.</summary>
internal readonly record struct AcpiPointer(AcpiBlock Block, int Offset, int Size);

/// <summary>A checksum that is computed once the addresses are known; its byte is zero until then.</summary>
internal readonly record struct AcpiChecksum(AcpiBlock Block, int Offset, int Start, int Length);

/// <summary>All tables, before they have an address.</summary>
/// <remarks>Without firmware the machine places them itself; with firmware, the firmware does. Both start from this.</remarks>
internal sealed class AcpiImage
{
    // The FACS needs it (ACPI 6.5 §5.2.10); it suits the others, too.
    public const int Alignment = 64;

    private readonly List<byte> _tables = [];
    private readonly List<AcpiPointer> _pointers = [];
    private readonly List<AcpiChecksum> _checksums = [];

    private AcpiImage(AcpiDescription description)
    {
        var facs = Add(FixedTables.Facs());
        var dsdt = Add(Dsdt.Build(description));
        int[] listed =
        [
            Add(
                FixedTables.Fadt(
                    (ulong)facs, (ulong)dsdt, description.Layout.PowerManagementPorts, hasSerialPort: description.SerialPorts.Count > 0),
                FixedTables.FadtPointers),
            Add(Madt.Build(description.Cpus, description.ApicId)),
            Add(FixedTables.Mcfg(description.Layout.EcamStart)),
        ];
        var addresses = new (int Offset, int Size)[listed.Length];
        for (var i = 0; i < listed.Length; i++)
            addresses[i] = (AcpiTable.HeaderLength + (i * sizeof(ulong)), sizeof(ulong));
        var xsdt = Add(FixedTables.Xsdt(Array.ConvertAll(listed, static offset => (ulong)offset)), addresses);
        Tables = [.. _tables];
        Rsdp = FixedTables.Rsdp((ulong)xsdt);
        _pointers.Add(new(AcpiBlock.Rsdp, FixedTables.RsdpXsdt, sizeof(ulong)));
        // In this order: the second sum covers the first.
        _checksums.Add(new(AcpiBlock.Rsdp, FixedTables.RsdpChecksum, 0, FixedTables.RsdpLengthRevision1));
        _checksums.Add(new(AcpiBlock.Rsdp, FixedTables.RsdpExtendedChecksum, 0, FixedTables.RsdpLength));
        foreach (var checksum in _checksums)
            Block(checksum.Block)[checksum.Offset] = 0;
    }

    /// <summary>All tables except the RSDP.</summary>
    public byte[] Tables { get; }

    /// <summary>The root pointer.</summary>
    public byte[] Rsdp { get; }

    /// <summary>Every field of the two blocks that holds an address. All point into the tables.</summary>
    public IReadOnlyList<AcpiPointer> Pointers => _pointers;

    /// <summary>The checksums that are computed after placing, in this order.</summary>
    public IReadOnlyList<AcpiChecksum> Checksums => _checksums;

    /// <summary>Builds the tables of a machine.</summary>
    public static AcpiImage Build(AcpiDescription description) => new(description);

    /// <summary>Adds the tables' address to all pointers and computes the checksums. To be called once.</summary>
    public void PlaceAt(ulong address)
    {
        foreach (var pointer in _pointers)
        {
            var field = Block(pointer.Block).AsSpan(pointer.Offset, pointer.Size);
            if (pointer.Size == sizeof(ulong))
                BinaryPrimitives.WriteUInt64LittleEndian(field, BinaryPrimitives.ReadUInt64LittleEndian(field) + address);
            else
                BinaryPrimitives.WriteUInt32LittleEndian(field, BinaryPrimitives.ReadUInt32LittleEndian(field) + (uint)address);
        }
        foreach (var (block, offset, start, length) in _checksums)
            Block(block)[offset] = AcpiTable.Checksum(Block(block).AsSpan(start, length));
    }

    private byte[] Block(AcpiBlock block) => block == AcpiBlock.Rsdp ? Rsdp : Tables;

    private int Add(byte[] table, params ReadOnlySpan<(int Offset, int Size)> pointers)
    {
        while (_tables.Count % Alignment != 0)
            _tables.Add(0);
        var at = _tables.Count;
        _tables.AddRange(table);
        foreach (var (offset, size) in pointers)
            _pointers.Add(new(AcpiBlock.Tables, at + offset, size));
        if (!pointers.IsEmpty)
            _checksums.Add(new(AcpiBlock.Tables, at + AcpiTable.ChecksumOffset, at, table.Length));
        return at;
    }
}
