using System.Text;
using Hatchway.Machine.Acpi;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Tests.Boot;

namespace Hatchway.Machine.Tests.Acpi;

/// <summary>The tables as a guest finds them, starting from the RSDP.</summary>
internal sealed class WrittenTables
{
    public const int AreaStart = 0xE_0000;
    public const int AreaEnd = 0x10_0000;

    private readonly ArrayMemory _memory = new ArrayMemory(2 << 20).Filled(0xA5);

    public WrittenTables(
        int cpus = 2, bool hasCom1 = true, int[]? slots = null, MemoryLayout? layout = null, int[]? serialPorts = null,
        Func<int, uint>? apicId = null)
    {
        Layout = layout ?? MemoryLayout.For(2ul << 30, 40);
        Rsdp = AcpiTables.Write(new AcpiDescription(cpus, Layout, serialPorts ?? (hasCom1 ? [1] : []), slots ?? [0, 3, 31])
        {
            ApicId = apicId ?? (static cpu => (uint)cpu),
        }, _memory);
    }

    public MemoryLayout Layout { get; }

    public ulong Rsdp { get; }

    /// <summary>The table with a signature, found as an operating system finds it.</summary>
    public byte[] this[string signature]
    {
        get
        {
            var xsdt = Table(Bytes(Rsdp, 36).UInt64(24));
            if (signature == "XSDT")
                return xsdt;
            for (var offset = 36; offset < xsdt.Length; offset += 8)
            {
                var table = Table(xsdt.UInt64(offset));
                if (Signature(table) == signature)
                    return table;
                if (Signature(table) == "FACP" && signature is "DSDT" or "FACS")
                    return Table(table.UInt32(signature == "DSDT" ? 40 : 36));
            }
            throw new KeyNotFoundException(signature);
        }
    }

    public byte[] Bytes(ulong address, int length) => _memory.Slice(address, length).ToArray();

    public static string Signature(byte[] table) => Encoding.ASCII.GetString(table, 0, 4);

    private byte[] Table(ulong address) => Bytes(address, (int)_memory.UInt32(address + 4));
}

internal static class Fields
{
    public static ushort UInt16(this byte[] table, int offset) => BitConverter.ToUInt16(table, offset);

    public static uint UInt32(this byte[] table, int offset) => BitConverter.ToUInt32(table, offset);

    public static ulong UInt64(this byte[] table, int offset) => BitConverter.ToUInt64(table, offset);

    public static int Sum(this byte[] table) => table.Sum(static value => (int)value) & 0xFF;
}
