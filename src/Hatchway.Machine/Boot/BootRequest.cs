namespace Hatchway.Machine.Boot;

/// <summary>What to start.</summary>
/// <param name="Kernel">The kernel's file; must be seekable. It is not closed.</param>
/// <param name="KernelName">How error messages name it.</param>
/// <param name="Initrd">The initial RAM disk's file, seekable, or null. It is not closed.</param>
/// <param name="InitrdName">How error messages name it.</param>
/// <param name="CommandLine">The kernel's command line; the guest sees it as UTF-8.</param>
/// <param name="AcpiRsdp">Guest-physical address of the ACPI RSDP, or 0 for none.</param>
public sealed record BootRequest(Stream Kernel, string KernelName, Stream? Initrd, string? InitrdName, string CommandLine, ulong AcpiRsdp);
