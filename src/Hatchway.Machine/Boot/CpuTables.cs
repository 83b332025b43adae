using System.Buffers.Binary;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Boot;

/// <summary>The descriptor table and page tables that the first CPU starts with (Intel SDM volume 3 §3.4.5, §4.5).</summary>
internal static class CpuTables
{
    // Linux's __BOOT_CS, which its 64-bit protocol demands, and its __BOOT_DS.
    private const ushort CodeSelector = 0x10;
    private const ushort DataSelector = 0x18;

    // The TSS's descriptor takes 16 bytes in 64-bit mode.
    private const ushort TaskSelector = 0x20;
    private const ushort DescriptorLimit = (6 * 8) - 1;

    private const ulong Code64 = 0x00AF_9B00_0000_FFFF;
    private const ulong Code32 = 0x00CF_9B00_0000_FFFF;
    private const ulong Data = 0x00CF_9300_0000_FFFF;
    private const ulong BusyTask = 0x0000_8B00_0000_0067;

    private const ulong Present = 1 << 0;
    private const ulong Writable = 1 << 1;
    private const ulong LargePage = 1 << 7;
    private const int EntriesPerTable = 512;
    private const int GiBMapped = 4;
    private const int LargePageShift = 21;

    /// <summary>Writes the tables that a mode needs.</summary>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="mode">The mode.</param>
    /// <param name="entry">Guest-physical address of the first instruction.</param>
    /// <returns>The first CPU's state, except for the register that points to the boot protocol's structure.</returns>
    public static BootState Write(IGuestMemory memory, CpuMode mode, ulong entry)
    {
        var isLong = mode == CpuMode.Long64;
        WriteDescriptors(memory, isLong ? Code64 : Code32);
        if (isLong)
            WriteIdentityMap(memory);
        return new BootState(
            mode,
            entry,
            BootAddresses.StackTop,
            Rsi: 0,
            Rbx: 0,
            isLong ? BootAddresses.PageMapLevel4 : 0,
            BootAddresses.DescriptorTable,
            DescriptorLimit,
            CodeSelector,
            DataSelector,
            TaskSelector);
    }

    // Null, null, code, data and a TSS of 16 bytes.
    private static void WriteDescriptors(IGuestMemory memory, ulong code)
    {
        ReadOnlySpan<ulong> descriptors = [0, 0, code, Data, BusyTask, 0];
        WriteWords(memory.Slice(BootAddresses.DescriptorTable, DescriptorLimit + 1), descriptors);
    }

    // Maps the first 4 GiB to themselves, with 2 MiB pages because not every CPU has 1 GiB pages.
    private static void WriteIdentityMap(IGuestMemory memory)
    {
        var words = new ulong[EntriesPerTable];
        words[0] = BootAddresses.PageDirectoryPointers | Present | Writable;
        WriteWords(memory.Slice(BootAddresses.PageMapLevel4, MemoryLayout.PageSize), words);

        words[0] = 0;
        for (var directory = 0; directory < GiBMapped; directory++)
            words[directory] = DirectoryAddress(directory) | Present | Writable;
        WriteWords(memory.Slice(BootAddresses.PageDirectoryPointers, MemoryLayout.PageSize), words);

        for (var directory = 0; directory < GiBMapped; directory++)
        {
            for (var entry = 0; entry < EntriesPerTable; entry++)
                words[entry] = ((ulong)((directory * EntriesPerTable) + entry) << LargePageShift) | Present | Writable | LargePage;
            WriteWords(memory.Slice(DirectoryAddress(directory), MemoryLayout.PageSize), words);
        }
    }

    private static ulong DirectoryAddress(int directory) => BootAddresses.PageDirectories + ((ulong)directory * MemoryLayout.PageSize);

    private static void WriteWords(Span<byte> destination, ReadOnlySpan<ulong> words)
    {
        for (var index = 0; index < words.Length; index++)
            BinaryPrimitives.WriteUInt64LittleEndian(destination[(index * 8)..], words[index]);
    }
}
