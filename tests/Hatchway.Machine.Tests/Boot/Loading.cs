using Hatchway.Machine.Boot;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Tests.Boot;

/// <summary>Loads images into a small machine.</summary>
internal static class Loading
{
    public const int RamBytes = 64 << 20;
    public const ulong Rsdp = 0xE_0000;

    public static MemoryLayout Layout { get; } = MemoryLayout.For(RamBytes, 46);

    public static BootState Load(byte[] image, ArrayMemory memory, byte[]? initrd = null, string commandLine = "console=ttyS0") =>
        Load(image, memory, Layout, initrd, commandLine);

    public static BootState Load(byte[] image, ArrayMemory memory, MemoryLayout layout, byte[]? initrd = null, string commandLine = "")
    {
        using var kernel = new MemoryStream(image);
        using var disk = initrd is null ? null : new MemoryStream(initrd);
        return KernelLoader.Load(new BootRequest(kernel, "vmlinuz", disk, "initrd.img", commandLine, Rsdp), memory, layout);
    }

    public static string Refusal(byte[] image, byte[]? initrd = null, string commandLine = "") =>
        Assert.Throws<BootException>(() => Load(image, new ArrayMemory(RamBytes), initrd, commandLine)).Message;
}
