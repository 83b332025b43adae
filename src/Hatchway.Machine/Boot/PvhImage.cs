using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Boot;

/// <summary>Loads an ELF64 image by the PVH protocol: the CPU starts in 32-bit mode with paging off, and EBX points to hvm_start_info
/// (xen/include/public/arch-x86/hvm/start_info.h, version 1, and Xen's docs/misc/pvh.pandoc).</summary>
internal static class PvhImage
{
    // XEN_ELFNOTE_PHYS32_ENTRY (xen/include/public/elfnote.h).
    private const uint Physical32Entry = 18;

    private const uint StartInfoMagic = 0x336E_C578;
    private const uint StartInfoVersion = 1;
    private const int StartInfoLength = 56;
    private const int ModuleLength = 32;
    private const int MemoryMapEntryLength = 24;
    private const int ClearChunk = 4 << 20;

    /// <summary>Loads the kernel and writes the structures that the protocol prescribes.</summary>
    public static BootState Load(BootFile file, BootRequest request, IGuestMemory memory, MemoryLayout layout)
    {
        var elf = ElfFile.Read(file);
        var entry = Entry(file, elf);
        var end = CheckSegments(file, elf, layout, entry);
        foreach (var segment in elf.Segments)
        {
            if (segment.Kind != ElfSegmentKind.Load)
                continue;
            file.Load(segment.FileOffset, segment.FileSize, memory, segment.Physical, "a segment");
            Clear(memory, segment.Physical + segment.FileSize, segment.MemorySize - segment.FileSize);
        }
        BootPlacement.WriteCommandLine(request.CommandLine, memory, file, BootAddresses.CommandLineCapacity - 1);
        var initrd = BootPlacement.LoadInitrd(request, memory, layout, end, layout.Ram[0].End);
        WriteStartInfo(memory, MemoryMap.For(layout), initrd, request.AcpiRsdp);
        return CpuTables.Write(memory, CpuMode.Protected32, entry) with { Rbx = BootAddresses.StartInfo };
    }

    private static ulong Entry(BootFile file, ElfFile elf)
    {
        if (!elf.TryFindNote("Xen\0"u8, Physical32Entry, out var value))
            throw file.Error("an ELF image without a PVH entry (XEN_ELFNOTE_PHYS32_ENTRY); use the bzImage, or build with CONFIG_PVH");
        var fields = new LittleEndianReader(value.Span);
        return value.Length switch
        {
            sizeof(uint) => fields.UInt32(0),
            sizeof(ulong) => fields.UInt64(0),
            _ => throw file.Damaged(BootPlacement.Text($"its PVH entry is a number of {value.Length} bytes")),
        };
    }

    // Checks all segments and the entry point; returns the end of the highest segment.
    private static ulong CheckSegments(BootFile file, ElfFile elf, MemoryLayout layout, ulong entry)
    {
        var end = 0ul;
        var entryLoaded = false;
        foreach (var segment in elf.Segments)
        {
            if (segment.Kind != ElfSegmentKind.Load || segment.MemorySize == 0)
                continue;
            BootPlacement.DemandRam(file, layout, segment.Physical, segment.MemorySize, "a segment");
            end = Math.Max(end, segment.Physical + segment.MemorySize);
            entryLoaded |= entry >= segment.Physical && entry - segment.Physical < segment.FileSize;
        }
        if (!entryLoaded)
            throw file.Damaged(BootPlacement.Text($"its PVH entry at 0x{entry:x} is in none of its segments"));
        return end;
    }

    private static void Clear(IGuestMemory memory, ulong address, ulong length)
    {
        while (length > 0)
        {
            var piece = (int)Math.Min(ClearChunk, length);
            memory.Slice(address, piece).Clear();
            address += (ulong)piece;
            length -= (ulong)piece;
        }
    }

    private static void WriteStartInfo(IGuestMemory memory, IReadOnlyList<MemoryMapEntry> map, PlacedRange initrd, ulong rsdp)
    {
        var bytes = memory.Slice(BootAddresses.StartInfo, StartInfoLength);
        bytes.Clear();
        var info = new LittleEndianWriter(bytes);
        info.UInt32(0, StartInfoMagic);
        info.UInt32(4, StartInfoVersion);
        if (initrd.Length != 0)
        {
            info.UInt32(12, 1); // nr_modules
            info.UInt64(16, BootAddresses.ModuleList);
        }
        info.UInt64(24, BootAddresses.CommandLine);
        info.UInt64(32, rsdp);
        info.UInt64(40, BootAddresses.MemoryMapTable);
        info.UInt32(48, (uint)map.Count);

        var moduleBytes = memory.Slice(BootAddresses.ModuleList, ModuleLength);
        moduleBytes.Clear();
        var module = new LittleEndianWriter(moduleBytes);
        module.UInt64(0, initrd.Start);
        module.UInt64(8, initrd.Length);

        var table = memory.Slice(BootAddresses.MemoryMapTable, map.Count * MemoryMapEntryLength);
        table.Clear();
        MemoryMap.Write(map, table, MemoryMapEntryLength);
    }
}
