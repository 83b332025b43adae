using Hatchway.Machine.Memory;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine.Boot;

/// <summary>The type of a range of guest-physical addresses, with E820's and PVH's numbers (ACPI 6.5 §15).</summary>
internal enum MemoryKind : uint
{
    Ram = 1,
    Reserved = 2,
}

/// <summary>A range of the memory map.</summary>
internal readonly record struct MemoryMapEntry(ulong Start, ulong Length, MemoryKind Kind)
{
    public ulong End => Start + Length;
}

/// <summary>The memory map that the guest receives, by any boot protocol.</summary>
internal static class MemoryMap
{
    /// <summary>Bytes of an entry of E820's table.</summary>
    public const int E820EntryLength = 20;

    /// <summary>RAM without the reserved ranges, and the reserved ranges, in ascending order.</summary>
    public static IReadOnlyList<MemoryMapEntry> For(MemoryLayout layout)
    {
        MemoryMapEntry[] reserved =
        [
            // EBDA, video memory and option ROMs; the ACPI and SMBIOS tables are in the last 128 KiB.
            new(BootAddresses.ConventionalEnd, BootAddresses.HighMemory - BootAddresses.ConventionalEnd, MemoryKind.Reserved),
            .. ReservedDevices(layout),
        ];
        var entries = new List<MemoryMapEntry>(reserved);
        foreach (var range in layout.Ram)
            AddAround(entries, range, reserved);
        entries.Sort(static (one, other) => one.Start.CompareTo(other.Start));
        return entries;
    }

    /// <summary>Ranges that a system must not take for free address space.</summary>
    public static MemoryMapEntry[] ReservedDevices(MemoryLayout layout) =>
    [
        new(layout.EcamStart, Ecam.BytesPerBus, MemoryKind.Reserved),
        // KVM uses these on Intel: one identity-map page, then three of TSS (Documentation/virt/kvm/api.rst, KVM_SET_TSS_ADDR).
        new(MemoryLayout.IdentityMapAddress, 0x4000, MemoryKind.Reserved),
    ];

    /// <summary>Writes a map in E820's and PVH's format: start, length and type.</summary>
    /// <param name="map">The map.</param>
    /// <param name="table">Where it goes. Bytes of an entry beyond these three fields stay as they are.</param>
    /// <param name="entryLength">Bytes of an entry.</param>
    public static void Write(IReadOnlyList<MemoryMapEntry> map, Span<byte> table, int entryLength)
    {
        for (var i = 0; i < map.Count; i++)
        {
            var fields = new LittleEndianWriter(table.Slice(i * entryLength, entryLength));
            fields.UInt64(0, map[i].Start);
            fields.UInt64(8, map[i].Length);
            fields.UInt32(16, (uint)map[i].Kind);
        }
    }

    /// <summary>Adds the parts of a range that are outside the holes, which must be in ascending order and disjoint.</summary>
    public static void AddAround(List<MemoryMapEntry> entries, RamRange range, MemoryMapEntry[] holes)
    {
        var start = range.GuestPhysical;
        var end = range.GuestPhysical + range.Length;
        foreach (var hole in holes)
        {
            if (hole.End <= start || hole.Start >= end)
                continue;
            if (hole.Start > start)
                entries.Add(new(start, hole.Start - start, MemoryKind.Ram));
            start = hole.End;
        }
        if (start < end)
            entries.Add(new(start, end - start, MemoryKind.Ram));
    }
}
