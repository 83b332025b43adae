using System.Buffers.Binary;
using Hatchway.Machine.Acpi;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Boot;

/// <summary>Describes the machine to firmware.</summary>
public static class FirmwareConfiguration
{
    private const string MemoryMapFile = "etc/e820";

    // CMOS cells that SeaBIOS and edk2 read: 64 KiB units above 16 MiB, 64 KiB units above 4 GiB, and the number of CPUs less one.
    private const byte MemoryAbove16MiB = 0x34;
    private const byte MemoryAbove4GiB = 0x5B;
    private const byte LastCpu = 0x5F;
    private const ulong Above16MiB = 16 << 20;
    private const int ChunkShift = 16;

    /// <summary>Adds the memory map, CPU count and ACPI tables to fw_cfg.</summary>
    /// <param name="description">The machine.</param>
    /// <param name="config">The device; these items are not in it yet.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number in the description is out of range.</exception>
    public static void Write(AcpiDescription description, FwCfg config)
    {
        ArgumentNullException.ThrowIfNull(description);
        ArgumentNullException.ThrowIfNull(config);
        AcpiTables.Check(description);
        var cpus = new byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(cpus, (ushort)description.Cpus);
        config.Add(FwCfg.CpuCountKey, cpus);
        config.Add(MemoryMapFile, MemoryMapTable(description.Layout));
        var image = AcpiImage.Build(description);
        config.Add(TableLoader.TablesFile, image.Tables);
        config.Add(TableLoader.RsdpFile, image.Rsdp);
        config.Add(TableLoader.ScriptFile, TableLoader.Script(image));
    }

    /// <summary>Writes memory sizes and CPU count into the CMOS RAM, where firmware older than fw_cfg expects them.</summary>
    public static void Write(MemoryLayout layout, int cpus, RealTimeClock cmos)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(cmos);
        var low = layout.Ram[0].Length;
        var high = layout.Ram.Count > 1 ? layout.Ram[1].Length : 0;
        SetNumber(cmos, MemoryAbove16MiB, 2, low > Above16MiB ? low - Above16MiB : 0);
        SetNumber(cmos, MemoryAbove4GiB, 3, high);
        cmos.SetCell(LastCpu, (byte)(cpus - 1));
    }

    private static void SetNumber(RealTimeClock cmos, byte cell, int bytes, ulong length)
    {
        var chunks = Math.Min(length >> ChunkShift, (1ul << (8 * bytes)) - 1);
        for (var i = 0; i < bytes; i++)
            cmos.SetCell((byte)(cell + i), (byte)(chunks >> (8 * i)));
    }

    // RAM without holes: firmware reserves what it needs below 1 MiB itself.
    private static byte[] MemoryMapTable(MemoryLayout layout)
    {
        var entries = new List<MemoryMapEntry>();
        foreach (var range in layout.Ram)
            entries.Add(new(range.GuestPhysical, range.Length, MemoryKind.Ram));
        entries.AddRange(MemoryMap.ReservedDevices(layout));
        var table = new byte[entries.Count * MemoryMap.E820EntryLength];
        MemoryMap.Write(entries, table, MemoryMap.E820EntryLength);
        return table;
    }
}
