namespace Hatchway.Machine.Boot;

/// <summary>Addresses below 1 MiB where the loader puts its structures, in ascending order.</summary>
/// <remarks>
/// All of it is RAM to the guest, which may reuse a structure once it has read it. Page 0 stays free for a real-mode interrupt table and
/// BIOS data. The loader puts nothing from <see cref="ConventionalEnd"/> on, where the guest may expect an EBDA, video memory and option
/// ROMs; the ACPI tables are from 0xE0000 on.
/// </remarks>
internal static class BootAddresses
{
    /// <summary>The global descriptor table; 256 bytes are kept for it.</summary>
    public const ulong DescriptorTable = 0x1000;

    /// <summary>PVH's hvm_start_info, 56 bytes.</summary>
    public const ulong StartInfo = 0x6000;

    /// <summary>PVH's list of modules: one entry of 32 bytes, the initrd.</summary>
    public const ulong ModuleList = 0x6040;

    /// <summary>PVH's memory map, up to the zero page.</summary>
    public const ulong MemoryMapTable = 0x6080;

    /// <summary>Linux's boot_params, one page.</summary>
    public const ulong ZeroPage = 0x7000;

    /// <summary>The top of the stack, which has one page and grows down.</summary>
    public const ulong StackTop = 0x9000;

    /// <summary>The PML4, one page.</summary>
    public const ulong PageMapLevel4 = 0x9000;

    /// <summary>The page-directory-pointer table, one page.</summary>
    public const ulong PageDirectoryPointers = 0xA000;

    /// <summary>Four page directories, for 4 GiB.</summary>
    public const ulong PageDirectories = 0xB000;

    /// <summary>The command line with its terminating zero.</summary>
    public const ulong CommandLine = 0x2_0000;

    /// <summary>Bytes kept for the command line.</summary>
    public const int CommandLineCapacity = 0x1_0000;

    /// <summary>The end of conventional memory: 639 KiB, as a PC with 1 KiB of EBDA reports it.</summary>
    public const ulong ConventionalEnd = 0x9_FC00;

    /// <summary>Where RAM continues after the legacy area. Kernels are loaded here or above.</summary>
    public const ulong HighMemory = 0x10_0000;
}
