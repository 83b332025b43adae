namespace Hatchway.Machine.Boot;

/// <summary>The files and the command line that a guest starts from.</summary>
/// <param name="Kernel">The kernel's file; must be seekable. It is not closed.</param>
/// <param name="KernelName">The kernel's name in error messages.</param>
/// <param name="Initrd">The initial RAM disk's file, seekable, or null. It is not closed.</param>
/// <param name="InitrdName">The initrd's name in error messages.</param>
/// <param name="CommandLine">The kernel's command line; the guest sees it as UTF-8.</param>
/// <param name="AcpiRsdp">Guest-physical address of the ACPI RSDP, or 0 for none.</param>
public sealed record BootRequest(Stream Kernel, string KernelName, Stream? Initrd, string? InitrdName, string CommandLine, ulong AcpiRsdp);
