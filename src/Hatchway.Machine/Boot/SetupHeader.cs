namespace Hatchway.Machine.Boot;

/// <summary>Offsets in Linux's zero page; those of the setup header are the same in a bzImage's first sectors
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

    /// <summary>The end of the header's fields in protocol 2.12.</summary>
    public const int Header212End = 0x264;

    /// <summary>The zero page's first field after the header, whatever length the header claims.</summary>
    public const int AfterHeader = 0x290;
}

/// <summary>Values of the zero page's fields.</summary>
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
    /// <summary>Offset of the 64-bit entry point from the protected-mode kernel's first byte.</summary>
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

    /// <summary>Offset of the protected-mode kernel in the file.</summary>
    public ulong PayloadOffset { get; }

    /// <summary>Bytes from <see cref="PayloadOffset"/> to the file's end; a signature may follow the kernel.</summary>
    public ulong PayloadLength { get; }

    /// <summary>Bytes of the kernel according to the header.</summary>
    public ulong ProtectedModeLength { get; }

    /// <summary>The highest address that an initrd may occupy.</summary>
    public uint RamdiskAddressMax { get; }

    /// <summary>A relocatable kernel's load address must be a multiple of this.</summary>
    public uint KernelAlignment { get; }

    /// <summary>True when the kernel may be loaded at another address than it prefers.</summary>
    public bool Relocatable { get; }

    /// <summary>The longest command line, in bytes without the zero.</summary>
    public uint CommandLineSize { get; }

    /// <summary>The load address that the kernel prefers.</summary>
    public ulong PreferredAddress { get; }

    /// <summary>Bytes of memory from its load address that the kernel uses before it reads the memory map.</summary>
    public uint InitialSize { get; }

    /// <summary>The part of the header that is copied into the zero page, from <see cref="ZeroPageOffset.SetupHeader"/> on.</summary>
    public ReadOnlySpan<byte> ForZeroPage => _bytes.AsSpan(
        ZeroPageOffset.SetupHeader,
        Math.Min(ZeroPageOffset.HeaderMagic + _bytes[ZeroPageOffset.HeaderEnd], ZeroPageOffset.AfterHeader) - ZeroPageOffset.SetupHeader);

    /// <summary>Reads and checks the header.</summary>
    /// <exception cref="BootException">The file is not a kernel that can be started in 64-bit mode.</exception>
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
