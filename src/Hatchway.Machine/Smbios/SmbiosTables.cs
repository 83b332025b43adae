using System.Buffers.Binary;
using Hatchway.Machine.Acpi;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Smbios;

/// <summary>The tables that describe the machine to a system, as dmidecode(8) shows them (DSP0134 2.8, like bhyve's).</summary>
public static class SmbiosTables
{
    /// <summary>Their address for a kernel that starts without firmware: in the F-segment, which systems search (§5.2.1).</summary>
    public const ulong Area = 0xF_8000;

    private const int AreaLength = 0x8000;
    private const int EntryPointLength = 0x1F;
    private const int TablesOffset = 0x20;

    // The fw_cfg files from which firmware takes the tables (QEMU docs/specs/fw_cfg.rst; edk2 OvmfPkg/SmbiosPlatformDxe).
    private const string AnchorFile = "etc/smbios/smbios-anchor";
    private const string TablesFile = "etc/smbios/smbios-tables";

    // Handles of structures that other structures refer to.
    private const ushort ChassisHandle = 0x0300;
    private const ushort ProcessorHandle = 0x0400;
    private const ushort MemoryArrayHandle = 0x1000;
    private const ushort NoHandle = 0xFFFF;
    private const ushort NoErrorHandle = 0xFFFE;

    private const ushort SizeElsewhere = 0x7FFF;

    /// <summary>Writes the tables into RAM, for a kernel that searches for them itself.</summary>
    /// <param name="description">The machine.</param>
    /// <param name="memory">The guest's RAM, at least 1 MiB from address 0. No CPU of the guest may run yet.</param>
    public static void Write(SmbiosDescription description, IGuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(description);
        ArgumentNullException.ThrowIfNull(memory);
        var structures = Structures(description);
        var tables = Join(structures);
        if (TablesOffset + tables.Length > AreaLength)
            throw new InvalidOperationException("the SMBIOS tables do not fit into 32 KiB");
        EntryPoint(structures, (uint)(Area + TablesOffset)).CopyTo(memory.Slice(Area, EntryPointLength));
        tables.CopyTo(memory.Slice(Area + TablesOffset, tables.Length));
    }

    /// <summary>Adds the tables to fw_cfg, from which firmware takes and places them.</summary>
    /// <param name="description">The machine.</param>
    /// <param name="config">The device; these items are not in it yet.</param>
    public static void Write(SmbiosDescription description, FwCfg config)
    {
        ArgumentNullException.ThrowIfNull(description);
        ArgumentNullException.ThrowIfNull(config);
        var structures = Structures(description);
        config.Add(AnchorFile, EntryPoint(structures, 0));
        config.Add(TablesFile, Join(structures));
    }

    private static byte[] Join(List<byte[]> structures)
    {
        var all = new List<byte>();
        foreach (var structure in structures)
            all.AddRange(structure);
        return [.. all];
    }

    // §5.2.1: two checksums, one over all bytes and one over those from _DMI_ on.
    private static byte[] EntryPoint(List<byte[]> structures, uint address)
    {
        const int Intermediate = 0x10;
        var bytes = new byte[EntryPointLength];
        "_SM_"u8.CopyTo(bytes);
        bytes[0x05] = EntryPointLength;
        (bytes[0x06], bytes[0x07]) = (2, 8);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(0x08), (ushort)structures.Max(static structure => structure.Length));
        "_DMI_"u8.CopyTo(bytes.AsSpan(Intermediate));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(0x16), (ushort)structures.Sum(static structure => structure.Length));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(0x18), address);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(0x1C), (ushort)structures.Count);
        bytes[0x1E] = 0x28;
        bytes[0x15] = AcpiTable.Checksum(bytes.AsSpan(Intermediate));
        bytes[0x04] = AcpiTable.Checksum(bytes);
        return bytes;
    }

    private static List<byte[]> Structures(SmbiosDescription description)
    {
        List<SmbiosStructure> all =
        [
            Bios(description.Bios),
            System(description.System, description.Uuid),
            Board(description.Board),
            Chassis(description.Chassis),
        ];
        for (var socket = 0; socket < description.Sockets; socket++)
            all.Add(Processor(description, socket));
        all.AddRange(Memory(description.Layout.Ram));
        // System boot information (§7.33): no error. The status is the last of seven bytes after the header.
        all.Add(new SmbiosStructure(32, 0x0B, 0x2000));
        // The end-of-table structure (§7.45).
        all.Add(new SmbiosStructure(127, 0x04, 0x7F00));
        return all.ConvertAll(static structure => structure.Finish());
    }

    // §7.1. Characteristics: PCI, boot from CD, selectable boot; ACPI; UEFI and a virtual machine. The BIOS's release has no number.
    private static SmbiosStructure Bios(SmbiosBios bios) => new SmbiosStructure(0, 0x18, 0x0000)
        .Text(0x04, bios.Vendor)
        .Text(0x05, bios.Version)
        .UInt16(0x06, 0xF000)
        .Text(0x08, bios.ReleaseDate)
        .UInt64(0x0A, (1 << 7) | (1 << 15) | (1 << 16))
        .UInt8(0x12, 1 << 0)
        .UInt8(0x13, (1 << 3) | (1 << 4))
        .UInt32(0x14, 0xFFFF_FFFF);

    // §7.2. Wake-up type: power switch.
    private static SmbiosStructure System(SmbiosSystem system, Guid uuid) => new SmbiosStructure(1, 0x1B, 0x0100)
        .Text(0x04, system.Manufacturer)
        .Text(0x05, system.ProductName)
        .Text(0x06, system.Version)
        .Text(0x07, system.SerialNumber)
        .Uuid(0x08, uuid)
        .UInt8(0x18, 0x06)
        .Text(0x19, system.Sku)
        .Text(0x1A, system.Family);

    // §7.3. A hosting board of type motherboard, with no contained objects.
    private static SmbiosStructure Board(SmbiosBoard board) => new SmbiosStructure(2, 0x0F, 0x0200)
        .Text(0x04, board.Manufacturer)
        .Text(0x05, board.ProductName)
        .Text(0x06, board.Version)
        .Text(0x07, board.SerialNumber)
        .Text(0x08, board.AssetTag)
        .UInt8(0x09, 0x01)
        .Text(0x0A, board.Location)
        .UInt16(0x0B, ChassisHandle)
        .UInt8(0x0D, 0x0A);

    // §7.4. Type unknown; boot-up state, power supply and thermal state safe; no security.
    private static SmbiosStructure Chassis(SmbiosChassis chassis) => new SmbiosStructure(3, 0x16, ChassisHandle)
        .Text(0x04, chassis.Manufacturer)
        .UInt8(0x05, 0x02)
        .Text(0x06, chassis.Version)
        .Text(0x07, chassis.SerialNumber)
        .Text(0x08, chassis.AssetTag)
        .UInt32(0x09, 0x0303_0303)
        .Text(0x15, chassis.Sku);

    // §7.5. A central processor, populated and enabled, of unspecified family (see CPUID), without cache handles, 64-bit capable.
    private static SmbiosStructure Processor(SmbiosDescription description, int socket) =>
        new SmbiosStructure(4, 0x2A, (ushort)(ProcessorHandle + socket))
            .Text(0x04, $"CPU {socket}")
            .UInt8(0x05, 0x03)
            .UInt8(0x06, 0x01)
            .UInt8(0x18, 0x41)
            .UInt8(0x19, 0x06)
            .UInt16(0x1A, NoHandle)
            .UInt16(0x1C, NoHandle)
            .UInt16(0x1E, NoHandle)
            .UInt8(0x23, (byte)description.Cores)
            .UInt8(0x24, (byte)description.Cores)
            .UInt8(0x25, (byte)Math.Min(byte.MaxValue, description.Cores * description.Threads))
            .UInt16(0x26, (ushort)((1 << 2) | (description.Cores > 1 ? 1 << 3 : 0) | (description.Threads > 1 ? 1 << 4 : 0)))
            .UInt16(0x28, 0x0001);

    private static IEnumerable<SmbiosStructure> Memory(IReadOnlyList<RamRange> ranges)
    {
        var bytes = ranges[^1].Offset + ranges[^1].Length;
        var megabytes = (uint)(bytes >> 20);
        // The array (§7.17): on the main board, system memory, no error correction, with the guest's RAM as capacity.
        yield return new SmbiosStructure(16, 0x17, MemoryArrayHandle)
            .UInt8(0x04, 0x03)
            .UInt8(0x05, 0x03)
            .UInt8(0x06, 0x03)
            .UInt32(0x07, 0x8000_0000)
            .UInt16(0x0B, NoErrorHandle)
            .UInt16(0x0D, 1)
            .UInt64(0x0F, bytes);
        // The array's one device (§7.18), of unknown form factor.
        yield return new SmbiosStructure(17, 0x28, MemoryArrayHandle + 0x100)
            .UInt16(0x04, MemoryArrayHandle)
            .UInt16(0x06, NoErrorHandle)
            .UInt16(0x08, 64)
            .UInt16(0x0A, 64)
            .UInt16(0x0C, (ushort)Math.Min(megabytes, SizeElsewhere))
            .UInt8(0x0E, 0x02)
            .Text(0x10, "RAM")
            .UInt8(0x12, 0x07)
            .UInt16(0x13, 1 << 2)
            .UInt32(0x1C, megabytes >= SizeElsewhere ? megabytes : 0);
        // The array's mapped addresses (§7.20): first and last byte.
        for (var i = 0; i < ranges.Count; i++)
        {
            yield return new SmbiosStructure(19, 0x1F, (ushort)(MemoryArrayHandle + 0x300 + i))
                .UInt32(0x04, 0xFFFF_FFFF)
                .UInt32(0x08, 0xFFFF_FFFF)
                .UInt16(0x0C, MemoryArrayHandle)
                .UInt8(0x0E, 1)
                .UInt64(0x0F, ranges[i].GuestPhysical)
                .UInt64(0x17, ranges[i].End - 1);
        }
    }
}
