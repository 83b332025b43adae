using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Boot;

/// <summary>Loads a kernel into guest memory as a boot loader does.</summary>
public static class KernelLoader
{
    private const ulong SmallestRam = 2 << 20;

    /// <summary>Loads a Linux bzImage, or an ELF64 image that has a PVH entry point.</summary>
    /// <param name="request">The files and the command line. The streams are read here and not kept.</param>
    /// <param name="memory">The guest's RAM. No CPU of the guest may run yet.</param>
    /// <param name="layout">Where RAM is; must match <paramref name="memory"/>.</param>
    /// <returns>The state in which the first CPU starts.</returns>
    /// <exception cref="BootException">A file is not usable, or does not fit into the guest's RAM.</exception>
    public static BootState Load(BootRequest request, IGuestMemory memory, MemoryLayout layout)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(layout);
        var file = new BootFile(request.Kernel, request.KernelName);
        var ram = layout.Ram[0].End;
        if (ram < SmallestRam)
            throw file.Error(BootPlacement.Text($"no kernel starts in 0x{ram:x} bytes of RAM; give the guest at least 2 MiB"));
        if (HasMagic(file, 0, ElfOffset.Magic))
            return PvhImage.Load(file, request, memory, layout);
        if (HasMagic(file, ZeroPageOffset.HeaderMagic, ZeroPageValue.HeaderMagic))
            return LinuxImage.Load(file, request, memory, layout);
        throw file.Error("neither a Linux bzImage nor an ELF64 image with a PVH entry; use a distribution's vmlinuz for x86-64");
    }

    private static bool HasMagic(BootFile file, ulong offset, uint magic)
    {
        if (file.Length < offset + sizeof(uint))
            return false;
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        file.Read(offset, bytes, "its first bytes");
        return new LittleEndianReader(bytes).UInt32(0) == magic;
    }
}
