using System.Buffers.Binary;
using System.Text;

namespace Hatchway.Machine.Acpi;

/// <summary>The script by which firmware places the tables where it has room, after it has placed the BARs.</summary>
/// <remarks>
/// QEMU's linker/loader script (QEMU include/hw/acpi/bios-linker-loader.h, edk2 OvmfPkg/AcpiPlatformDxe/QemuLoader.h): entries of 128
/// bytes, little-endian.
/// </remarks>
internal static class TableLoader
{
    /// <summary>The fw_cfg file with the script.</summary>
    public const string ScriptFile = "etc/table-loader";

    /// <summary>The fw_cfg file with all tables but the RSDP.</summary>
    public const string TablesFile = "etc/acpi/tables";

    /// <summary>The fw_cfg file with the RSDP.</summary>
    public const string RsdpFile = "etc/acpi/rsdp";

    /// <summary>Bytes of an entry.</summary>
    public const int EntryLength = 128;

    /// <summary>Bytes of a file's name in an entry, with its terminating zero.</summary>
    public const int NameLength = 56;

    private const int FirstField = sizeof(uint);
    private const int RsdpAlignment = 16;

    private enum Command : uint
    {
        Allocate = 1,
        AddPointer = 2,
        AddChecksum = 3,
    }

    private enum Zone : byte
    {
        Anywhere = 1,

        // 0xF0000 to 0xFFFFF, where a system without EFI searches for the RSDP.
        BiosSegment = 2,
    }

    /// <summary>Writes the script that places an image's tables.</summary>
    public static byte[] Script(AcpiImage image)
    {
        var script = new List<byte>();
        script.AddRange(Allocate(RsdpFile, RsdpAlignment, Zone.BiosSegment));
        script.AddRange(Allocate(TablesFile, AcpiImage.Alignment, Zone.Anywhere));
        foreach (var pointer in image.Pointers)
            script.AddRange(AddPointer(pointer));
        foreach (var checksum in image.Checksums)
            script.AddRange(AddChecksum(checksum));
        return [.. script];
    }

    private static byte[] Allocate(string file, int alignment, Zone zone)
    {
        var entry = Entry(Command.Allocate);
        Name(entry, FirstField, file);
        Number(entry, FirstField + NameLength, (uint)alignment);
        entry[FirstField + NameLength + sizeof(uint)] = (byte)zone;
        return entry;
    }

    private static byte[] AddPointer(AcpiPointer pointer)
    {
        var entry = Entry(Command.AddPointer);
        Name(entry, FirstField, File(pointer.Block));
        Name(entry, FirstField + NameLength, TablesFile);
        Number(entry, FirstField + (2 * NameLength), (uint)pointer.Offset);
        entry[FirstField + (2 * NameLength) + sizeof(uint)] = (byte)pointer.Size;
        return entry;
    }

    private static byte[] AddChecksum(AcpiChecksum checksum)
    {
        var entry = Entry(Command.AddChecksum);
        Name(entry, FirstField, File(checksum.Block));
        Number(entry, FirstField + NameLength, (uint)checksum.Offset);
        Number(entry, FirstField + NameLength + sizeof(uint), (uint)checksum.Start);
        Number(entry, FirstField + NameLength + (2 * sizeof(uint)), (uint)checksum.Length);
        return entry;
    }

    private static string File(AcpiBlock block) => block == AcpiBlock.Rsdp ? RsdpFile : TablesFile;

    private static byte[] Entry(Command command)
    {
        var entry = new byte[EntryLength];
        Number(entry, 0, (uint)command);
        return entry;
    }

    private static void Name(byte[] entry, int offset, string name) => Encoding.ASCII.GetBytes(name, entry.AsSpan(offset, NameLength - 1));

    private static void Number(byte[] entry, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(offset), value);
}
