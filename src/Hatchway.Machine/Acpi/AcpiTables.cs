using Hatchway.Machine.Memory;
using Hatchway.Machine.Smbios;

namespace Hatchway.Machine.Acpi;

/// <summary>Writes the ACPI tables that describe the machine.</summary>
public static class AcpiTables
{
    /// <summary>The largest number of CPUs whose tables fit their area.</summary>
    public const int MostCpus = 1024;

    private const int MostSlots = 32;

    // A PC's BIOS area: reserved in the memory map, and where a system that was not given the RSDP's address searches for it.
    private const ulong AreaStart = 0xE_0000;
    private const ulong AreaEnd = SmbiosTables.Area;

    /// <summary>Writes all tables between 0xE0000 and 0xF7FFF.</summary>
    /// <param name="description">The machine.</param>
    /// <param name="memory">The guest's RAM, at least 1 MiB from address 0. No CPU of the guest may run yet.</param>
    /// <returns>The RSDP's guest-physical address.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number in the description is out of range.</exception>
    public static ulong Write(AcpiDescription description, IGuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(description);
        ArgumentNullException.ThrowIfNull(memory);
        Check(description);
        var image = AcpiImage.Build(description);
        const ulong Tables = AreaStart + AcpiImage.Alignment;
        if (Tables + (ulong)image.Tables.Length > AreaEnd)
            throw new InvalidOperationException("the ACPI tables do not fit into 96 KiB");
        image.PlaceAt(Tables);
        image.Rsdp.CopyTo(memory.Slice(AreaStart, image.Rsdp.Length));
        image.Tables.CopyTo(memory.Slice(Tables, image.Tables.Length));
        return AreaStart;
    }

    /// <summary>Checks the numbers of a description.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is out of range.</exception>
    internal static void Check(AcpiDescription description)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(description.Cpus, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(description.Cpus, MostCpus);
        foreach (var slot in description.Slots)
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)MostSlots);
    }
}
