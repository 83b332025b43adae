using System.Buffers.Binary;
using System.Text;
using Hatchway.Configuration;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Smbios;

namespace Hatchway.CommandLine;

/// <summary>The guest's identity in its SMBIOS tables: bhyve_config(5)'s variables, and <c>-U</c>.</summary>
internal sealed record SmbiosOptions(Guid Uuid, SmbiosBios Bios, SmbiosSystem System, SmbiosBoard Board, SmbiosChassis Chassis)
{
    // Defaults; bhyve's are BHYVE and FreeBSD.
    private const string Ours = "Hatchway";
    private const string Version = "1.0";
    private const string None = "None";

    /// <summary>Reads the variables.</summary>
    /// <exception cref="UserException">A text does not fit the tables.</exception>
    public static SmbiosOptions From(ConfigurationTree tree)
    {
        var root = tree.Root;
        return new(
            Number(root),
            new(Text(root, "bios.vendor", Ours), Text(root, "bios.version", Version), Text(root, "bios.release_date", "01/01/2026")),
            new(
                Text(root, "system.manufacturer", Ours), Text(root, "system.product_name", Ours), Text(root, "system.version", Version),
                Text(root, "system.serial_number", None), Text(root, "system.sku", None),
                Text(root, "system.family_name", "Virtual Machine")),
            new(
                Text(root, "board.manufacturer", Ours), Text(root, "board.product_name", Ours), Text(root, "board.version", Version),
                Text(root, "board.serial_number", None), Text(root, "board.asset_tag", None), Text(root, "board.location", None)),
            new(
                Text(root, "chassis.manufacturer", Ours), Text(root, "chassis.version", Version), Text(root, "chassis.serial_number", None),
                Text(root, "chassis.asset_tag", None), Text(root, "chassis.sku", None)));
    }

    /// <summary>Describes a machine for the tables.</summary>
    public SmbiosDescription Describe(CpuTopology cpus, MemoryLayout layout) =>
        new(Uuid, cpus.Sockets, cpus.Cores, cpus.Threads, layout) { Bios = Bios, System = System, Board = Board, Chassis = Chassis };

    private static string Text(ConfigurationNode root, string name, string otherwise)
    {
        var text = root.Text(name) ?? otherwise;
        if (text.Length > SmbiosDescription.LongestText || text.Any(static character => character is < ' ' or > '~'))
            throw new UserException($"{root.Origin(name)}: SMBIOS takes up to {SmbiosDescription.LongestText} printable ASCII characters");
        return text;
    }

    private static Guid Number(ConfigurationNode root)
    {
        if (root.Text("uuid") is not { } text)
            return Derived($"{root.Text("name")}@{Environment.MachineName}");
        return Guid.TryParseExact(text, "D", out var number)
            ? number
            : throw new UserException(
                $"{root.Origin("uuid")}: '{text}' is no UUID: write 32 hexadecimal digits, as 01234567-89ab-cdef-0123-456789abcdef");
    }

    // As in bhyve, derived from the host's and the guest's names, so that a guest keeps its UUID. The form is version 8 (RFC 9562 §5.8).
    private static Guid Derived(string text)
    {
        // FNV-1a of 128 bits (Fowler, Noll, Vo): .NET's hashes load OpenSSL, 6 to 8 ms of CPU in seven runs (bench/README.md,
        // "Start-up").
        var hash = new UInt128(0x6C62_272E_07BB_0142, 0x62B8_2175_6295_C58D);
        foreach (var one in Encoding.UTF8.GetBytes(text))
            hash = (hash ^ one) * new UInt128(0x0000_0000_0100_0000, 0x13B);
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, hash);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}
