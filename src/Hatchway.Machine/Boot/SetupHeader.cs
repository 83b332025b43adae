namespace Hatchway.Machine.Boot;

/// <summary>Offsets in Linux's zero page, and in a bzImage's first sectors for those of the setup header
/// (Linux Documentation/arch/x86/boot.rst and zero-page.rst, arch/x86/include/uapi/asm/bootparam.h).</summary>
internal static class ZeroPageOffset
{
    public const int AcpiRsdpAddress = 0x070;
    public const int MemoryMapCount = 0x1E8;
    public const int SetupHeader = 0x1F1;
    public const int SetupSectors = 0x1F1;
    public const int ProtectedModeParagraphs = 0x1F4;
    public const int VideoMode = 0x1FA;
    public const int BootFlag = 0x1FE;
    public const int HeaderEnd = 0x201;
    public const int HeaderMagic = 0x202;
    public const int Version = 0x206;
    public const int LoaderType = 0x210;
    public const int LoadFlags = 0x211;
    public const int Code32Start = 0x214;
    public const int RamdiskAddress = 0x218;
    public const int RamdiskSize = 0x21C;
    public const int CommandLineAddress = 0x228;
    public const int RamdiskAddressMax = 0x22C;
    public const int KernelAlignment = 0x230;
    public const int RelocatableKernel = 0x234;
    public const int ExtendedLoadFlags = 0x236;
    public const int CommandLineSize = 0x238;
    public const int PreferredAddress = 0x258;
    public const int InitialSize = 0x260;
    public const int MemoryMap = 0x2D0;

    /// <summary>The header's fields of protocol 2.12 end here.</summary>
    public const int Header212End = 0x264;

    /// <summary>What follows the header in the zero page, whatever length the header says it has.</summary>
    public const int AfterHeader = 0x290;
}

/// <summary>Values of those fields.</summary>
internal static class ZeroPageValue
{
    public const ushort BootFlag = 0xAA55;
    public const uint HeaderMagic = 0x5372_6448; // "HdrS"
    public const ushort Version212 = 0x020C;
    public const byte LoaderUndefined = 0xFF;
    public const byte LoadedHigh = 1 << 0;
    public const ushort Kernel64 = 1 << 0;
    public const ushort NormalVideo = 0xFFFF;
}

/// <summary>The part of a bzImage's setup header that the 64-bit boot protocol needs, checked.</summary>
internal sealed class SetupHeader
{
    /// <summary>Where the 64-bit entry point is, counted from the protected-mode kernel's first byte.</summary>
    public const ulong Entry64 = 0x200;

    private const int SectorSize = 512;
    private const int SectorsWhenZero = 4;

    private readonly byte[] _bytes;

    private SetupHeader(byte[] bytes, ulong fileLength)
    {
        _bytes = bytes;
        var fields = new LittleEndianReader(bytes);
        var sectors = bytes[ZeroPageOffset.SetupSectors];
        PayloadOffset = ((ulong)(sectors == 0 ? SectorsWhenZero : sectors) + 1) * SectorSize;
        PayloadLength = fileLength > PayloadOffset ? fileLength - PayloadOffset : 0;
        ProtectedModeLength = (ulong)fields.UInt32(ZeroPageOffset.ProtectedModeParagraphs) * 16;
        RamdiskAddressMax = fields.UInt32(ZeroPageOffset.RamdiskAddressMax);
        KernelAlignment = fields.UInt32(ZeroPageOffset.KernelAlignment);
        Relocatable = bytes[ZeroPageOffset.RelocatableKernel] != 0;
        CommandLineSize = fields.UInt32(ZeroPageOffset.CommandLineSize);
        PreferredAddress = fields.UInt64(ZeroPageOffset.PreferredAddress);
        InitialSize = fields.UInt32(ZeroPageOffset.InitialSize);
    }

    /// <summary>Where the protected-mode kernel begins in the file.</summary>
    public ulong PayloadOffset { get; }

    /// <summary>Bytes from there to the file's end; a signature may follow the kernel.</summary>
    public ulong PayloadLength { get; }

    /// <summary>Bytes of kernel, as the header says.</summary>
    public ulong ProtectedModeLength { get; }

    /// <summary>The last address that an initrd may have.</summary>
    public uint RamdiskAddressMax { get; }

    /// <summary>What a relocated kernel's address is a multiple of.</summary>
    public uint KernelAlignment { get; }

    /// <summary>Whether it may be loaded elsewhere than it prefers.</summary>
    public bool Relocatable { get; }

    /// <summary>Bytes of command line, without the zero.</summary>
    public uint CommandLineSize { get; }

    /// <summary>Where it would like to be.</summary>
    public ulong PreferredAddress { get; }

    /// <summary>Bytes of memory that it needs from there before it looks at the memory map.</summary>
    public uint InitialSize { get; }

    /// <summary>The header as the zero page takes it, from <see cref="ZeroPageOffset.SetupHeader"/> on.</summary>
    public ReadOnlySpan<byte> ForZeroPage => _bytes.AsSpan(
        ZeroPageOffset.SetupHeader,
        Math.Min(ZeroPageOffset.HeaderMagic + _bytes[ZeroPageOffset.HeaderEnd], ZeroPageOffset.AfterHeader) - ZeroPageOffset.SetupHeader);

    /// <summary>Reads and checks it.</summary>
    /// <exception cref="BootException">This is not a kernel that can be started in 64-bit mode.</exception>
    public static SetupHeader Read(BootFile file)
    {
        var bytes = new byte[ZeroPageOffset.AfterHeader];
        file.Read(0, bytes, "the setup header");
        var fields = new LittleEndianReader(bytes);
        if (fields.UInt16(ZeroPageOffset.BootFlag) != ZeroPageValue.BootFlag)
            throw file.Damaged("there is no 0xAA55 at offset 0x1fe");
        var version = fields.UInt16(ZeroPageOffset.Version);
        if (version < ZeroPageValue.Version212)
        {
            throw file.Error(BootPlacement.Text(
                $"its boot protocol is {version >> 8}.{version & 0xFF:d2}, and 2.12 is needed for a 64-bit start; use Linux 3.8 or later"));
        }
        if (ZeroPageOffset.HeaderMagic + bytes[ZeroPageOffset.HeaderEnd] < ZeroPageOffset.Header212End)
            throw file.Damaged("its setup header is shorter than boot protocol 2.12 has it");
        if ((fields.UInt16(ZeroPageOffset.ExtendedLoadFlags) & ZeroPageValue.Kernel64) == 0)
            throw file.Error("it has no 64-bit entry point (XLF_KERNEL_64 is clear); use a kernel for x86-64");
        return new SetupHeader(bytes, file.Length).Checked(file);
    }

    private SetupHeader Checked(BootFile file)
    {
        file.Demand(PayloadOffset, ProtectedModeLength, "the kernel after its setup code");
        if (PayloadLength <= Entry64)
            throw file.Damaged("it ends before its 64-bit entry point");
        if (!uint.IsPow2(KernelAlignment))
            throw file.Damaged(BootPlacement.Text($"its alignment of 0x{KernelAlignment:x} is not a power of two"));
        return this;
    }
}
