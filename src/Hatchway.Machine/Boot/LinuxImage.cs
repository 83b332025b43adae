using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Boot;

/// <summary>Loads a Linux bzImage by the 64-bit boot protocol (Linux Documentation/arch/x86/boot.rst).</summary>
internal static class LinuxImage
{
    /// <summary>Loads the kernel and writes the structures that the protocol prescribes.</summary>
    public static BootState Load(BootFile file, BootRequest request, IGuestMemory memory, MemoryLayout layout)
    {
        var header = SetupHeader.Read(file);
        var address = Address(file, header);
        var needed = Math.Max(header.InitialSize, header.PayloadLength);
        BootPlacement.DemandRam(file, layout, address, needed, "the kernel");
        file.Load(header.PayloadOffset, header.PayloadLength, memory, address, "the kernel");
        BootPlacement.WriteCommandLine(request.CommandLine, memory, file, header.CommandLineSize);
        var initrd = BootPlacement.LoadInitrd(request, memory, layout, address + needed, header.RamdiskAddressMax + 1ul);
        WriteZeroPage(header, address, initrd, request.AcpiRsdp, memory, layout);
        return CpuTables.Write(memory, CpuMode.Long64, address + SetupHeader.Entry64) with { Rsi = BootAddresses.ZeroPage };
    }

    // A relocatable kernel that is loaded below its preferred address moves itself up there. So it is placed at that address or above it:
    // outside the legacy area, and at a multiple of its alignment.
    private static ulong Address(BootFile file, SetupHeader header)
    {
        if (!header.Relocatable)
            return header.PreferredAddress;
        if (header.PreferredAddress > uint.MaxValue)
        {
            throw file.Error(BootPlacement.Text(
                $"it wants to be loaded at 0x{header.PreferredAddress:x}, and kernels are loaded below 4 GiB only; use another one"));
        }
        var mask = header.KernelAlignment - 1ul;
        return (Math.Max(header.PreferredAddress, BootAddresses.HighMemory) + mask) & ~mask;
    }

    private static void WriteZeroPage(
        SetupHeader header, ulong address, PlacedRange initrd, ulong rsdp, IGuestMemory memory, MemoryLayout layout)
    {
        var page = memory.Slice(BootAddresses.ZeroPage, MemoryLayout.PageSize);
        page.Clear();
        header.ForZeroPage.CopyTo(page[ZeroPageOffset.SetupHeader..]);
        var fields = new LittleEndianWriter(page);
        fields.UInt64(ZeroPageOffset.AcpiRsdpAddress, rsdp);
        fields.UInt16(ZeroPageOffset.VideoMode, ZeroPageValue.NormalVideo);
        fields.UInt8(ZeroPageOffset.LoaderType, ZeroPageValue.LoaderUndefined);
        fields.UInt8(ZeroPageOffset.LoadFlags, (byte)(page[ZeroPageOffset.LoadFlags] | ZeroPageValue.LoadedHigh));
        fields.UInt32(ZeroPageOffset.Code32Start, (uint)address);
        // Both fit 32 bits: the initrd is in low RAM.
        fields.UInt32(ZeroPageOffset.RamdiskAddress, (uint)initrd.Start);
        fields.UInt32(ZeroPageOffset.RamdiskSize, (uint)initrd.Length);
        fields.UInt32(ZeroPageOffset.CommandLineAddress, (uint)BootAddresses.CommandLine);
        var map = MemoryMap.For(layout);
        fields.UInt8(ZeroPageOffset.MemoryMapCount, (byte)map.Count);
        MemoryMap.Write(map, page[ZeroPageOffset.MemoryMap..], MemoryMap.E820EntryLength);
    }
}
