using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Acpi;

/// <summary>Writes the ACPI tables that describe the machine.</summary>
public static class AcpiTables
{
    /// <summary>The most CPUs that the tables can describe in the room they have.</summary>
    public const int MostCpus = 1024;

    private const int MostSlots = 32;

    // Where a PC's BIOS is: reserved in the memory map, and where a system looks for the RSDP that was not told its address.
    private const ulong AreaStart = 0xE_0000;
    private const ulong AreaEnd = 0x10_0000;

    // What the FACS demands (ACPI 6.5 §5.2.10); the others are content with it.
    private const ulong Alignment = 64;

    /// <summary>Writes all tables into 0xE0000 to 0xFFFFF.</summary>
    /// <param name="description">The machine.</param>
    /// <param name="memory">The guest's RAM, of which there must be 1 MiB from address 0. No CPU of the guest may run.</param>
    /// <returns>The RSDP's guest-physical address.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number in the description is out of range.</exception>
    public static ulong Write(AcpiDescription description, IGuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(description);
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentOutOfRangeException.ThrowIfLessThan(description.Cpus, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(description.Cpus, MostCpus);
        foreach (var slot in description.Slots)
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)MostSlots);

        var area = new Area(memory);
        var rsdp = area.Reserve(FixedTables.RsdpLength);
        var facs = area.Add(FixedTables.Facs());
        var dsdt = area.Add(Dsdt.Build(description));
        ulong[] tables =
        [
            area.Add(FixedTables.Fadt(facs, dsdt, description.SerialPorts.Count > 0)),
            area.Add(Madt.Build(description.Cpus, description.ApicId)),
            area.Add(FixedTables.Mcfg(description.Layout.EcamStart)),
        ];
        var xsdt = area.Add(FixedTables.Xsdt(tables));
        FixedTables.Rsdp(xsdt).CopyTo(memory.Slice(rsdp, FixedTables.RsdpLength));
        return rsdp;
    }

    private sealed class Area(IGuestMemory memory)
    {
        private ulong _next = AreaStart;

        public ulong Reserve(int length)
        {
            var address = _next;
            _next = (_next + (ulong)length + Alignment - 1) & ~(Alignment - 1);
            return _next <= AreaEnd ? address : throw new InvalidOperationException("the ACPI tables do not fit into 128 KiB");
        }

        public ulong Add(ReadOnlySpan<byte> table)
        {
            var address = Reserve(table.Length);
            table.CopyTo(memory.Slice(address, table.Length));
            return address;
        }
    }
}
