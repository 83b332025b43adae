using System.Text;
using Hatchway.Machine.Acpi;
using Hatchway.Machine.Tests.Boot;

namespace Hatchway.Machine.Tests.Acpi;

public sealed class AcpiTablesTests
{
    [Fact]
    public void The_RSDP_is_where_a_system_scans_for_it_with_both_checksums()
    {
        var tables = new WrittenTables();
        Assert.InRange(tables.Rsdp, (ulong)WrittenTables.AreaStart, WrittenTables.AreaEnd - 36ul);
        Assert.Equal(0ul, tables.Rsdp % 16);
        var rsdp = tables.Bytes(tables.Rsdp, 36);
        Assert.Equal("RSD PTR ", Encoding.ASCII.GetString(rsdp, 0, 8));
        Assert.Equal((0, 0, 2, 36u), (rsdp[..20].Sum(), rsdp.Sum(), rsdp[15], rsdp.UInt32(20)));
    }

    [Theory]
    [InlineData("XSDT", 1, 36 + 24)]
    [InlineData("FACP", 6, 276)]
    [InlineData("APIC", 4, 0)]
    [InlineData("MCFG", 1, 60)]
    [InlineData("DSDT", 2, 0)]
    public void Every_table_is_found_with_its_revision_length_and_checksum(string signature, int revision, int length)
    {
        var table = new WrittenTables()[signature];
        Assert.Equal(signature, WrittenTables.Signature(table));
        Assert.Equal(revision, table[8]);
        Assert.Equal(0, table.Sum());
        Assert.Equal(length == 0 ? table.Length : length, table.Length);
    }

    [Fact]
    public void The_FACS_is_aligned_to_64_bytes()
    {
        var tables = new WrittenTables();
        Assert.Equal("FACS", WrittenTables.Signature(tables["FACS"]));
        Assert.Equal(64, tables["FACS"].Length);
        Assert.Equal(0u, tables["FACP"].UInt32(36) % 64);
    }

    [Fact]
    public void With_firmware_the_fixed_hardware_is_where_that_has_it()
    {
        var fadt = new WrittenTables(layout: Machine.Memory.MemoryLayout.ForFirmware(2ul << 30, 40))["FACP"];
        Assert.Equal((0xB000u, 0xB004u, 0xB008u), (fadt.UInt32(56), fadt.UInt32(64), fadt.UInt32(76)));
        Assert.Equal((0xB000ul, 0xB004ul, 0xB008ul), (fadt.UInt64(152), fadt.UInt64(176), fadt.UInt64(212)));
    }

    [Fact]
    public void The_FADT_has_the_fixed_hardware()
    {
        var fadt = new WrittenTables()["FACP"];
        Assert.Equal(9, fadt.UInt16(46));
        Assert.Equal(0u, fadt.UInt32(48)); // SMI_CMD: always in ACPI mode
        Assert.Equal((0x600u, 4), (fadt.UInt32(56), fadt[88]));
        Assert.Equal((0x604u, 2), (fadt.UInt32(64), fadt[89]));
        Assert.Equal((0x608u, 4), (fadt.UInt32(76), fadt[91]));
        Assert.Equal(0u, fadt.UInt32(80)); // GPE0
        // Generic addresses: I/O space, bits, offset, access size, address.
        Assert.Equal([1, 32, 0, 2, 0x00, 0x06, 0, 0, 0, 0, 0, 0], fadt[148..160]);
        Assert.Equal([1, 16, 0, 2, 0x04, 0x06, 0, 0, 0, 0, 0, 0], fadt[172..184]);
        Assert.Equal([1, 32, 0, 3, 0x08, 0x06, 0, 0, 0, 0, 0, 0], fadt[208..220]);
        Assert.Equal([1, 8, 0, 1, 0xF9, 0x0C, 0, 0, 0, 0, 0, 0, 6], fadt[116..129]);
        Assert.Equal(fadt.UInt32(40), fadt.UInt64(140)); // DSDT
        Assert.Equal(0ul, fadt.UInt64(132)); // X_FIRMWARE_CTRL: only one of the two may be set
    }

    [Fact]
    public void The_FADT_flags_say_power_button_reset_register_and_no_hardware_reduction()
    {
        var flags = new WrittenTables()["FACP"].UInt32(112);
        // WBINVD, PROC_C1, SLP_BUTTON (none), FIX_RTC (none), RESET_REG_SUP; not PWR_BUTTON (4), TMR_VAL_EXT (8), HW_REDUCED (20).
        Assert.Equal((1u << 0) | (1u << 2) | (1u << 5) | (1u << 6) | (1u << 10), flags);
    }

    [Theory]
    [InlineData(true, 0b101)] // legacy devices, no VGA
    [InlineData(false, 0b100)]
    public void The_boot_architecture_follows_the_serial_port(bool hasCom1, int expected) =>
        Assert.Equal(expected, new WrittenTables(hasCom1: hasCom1)["FACP"].UInt16(109));

    [Fact]
    public void The_MCFG_has_bus_0_at_the_ECAM()
    {
        var tables = new WrittenTables();
        var mcfg = tables["MCFG"];
        Assert.Equal(tables.Layout.EcamStart, mcfg.UInt64(44));
        Assert.Equal(0u, mcfg.UInt32(52)); // segment 0, buses 0 to 0
    }

    [Theory]
    [InlineData(0)]
    [InlineData(AcpiTables.MostCpus + 1)]
    public void A_number_of_CPUs_out_of_range_is_an_error(int cpus) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new WrittenTables(cpus));

    [Theory]
    [InlineData(-1)]
    [InlineData(32)]
    public void A_slot_out_of_range_is_an_error(int slot) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new WrittenTables(slots: [slot]));

    [Fact]
    public void The_largest_machine_fits_and_nothing_else_is_touched()
    {
        var tables = new WrittenTables(AcpiTables.MostCpus, slots: [.. Enumerable.Range(0, 32)]);
        Assert.Equal(0, tables["DSDT"].Sum());
        Assert.Equal(0, tables["APIC"].Sum());
        Assert.All(tables.Bytes(0, WrittenTables.AreaStart), static value => Assert.Equal(0xA5, value));
        Assert.All(tables.Bytes(WrittenTables.AreaEnd, 4096), static value => Assert.Equal(0xA5, value));
    }

    [Fact]
    public void The_area_is_not_RAM_to_the_guest() => Assert.Contains(
        Machine.Boot.MemoryMap.For(Loading.Layout),
        static entry => entry.Kind == Machine.Boot.MemoryKind.Reserved
            && entry.Start <= WrittenTables.AreaStart && entry.End >= WrittenTables.AreaEnd);
}
