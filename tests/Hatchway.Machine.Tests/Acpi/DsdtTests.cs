using Hatchway.Machine.Acpi;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Tests.Acpi;

public sealed class DsdtTests
{
    [Fact]
    public void S5_is_sleep_type_0() => Assert.True(Has(
        new WrittenTables(), Aml.Name("\\_S5", Aml.Package(Aml.Integer(0), Aml.Integer(0), Aml.Integer(0), Aml.Integer(0)))));

    [Fact]
    public void Every_pin_of_every_present_slot_is_routed_as_the_program_wires_it()
    {
        int[] slots = [0, 5, 31];
        var tables = new WrittenTables(slots: slots);
        for (var slot = 0; slot < 32; slot++)
        {
            for (var pin = 1; pin <= 4; pin++)
            {
                var address = Aml.Integer(((ulong)slot << 16) | 0xFFFF);
                var gsi = Aml.Integer(IntxRouting.Gsi(slot, pin));
                var route = Aml.Package(address, Aml.Integer((ulong)pin - 1), Aml.Integer(0), gsi);
                Assert.Equal(slots.Contains(slot), Has(tables, route));
            }
        }
    }

    [Fact]
    public void BARs_are_offered_the_ports_that_the_bridge_forwards_and_the_ISA_bus_those_below_its_own()
    {
        var tables = new WrittenTables();
        var ports = tables.Layout.Ports;
        List<(int First, int Last)> windows = [];
        // Word address space descriptors (ACPI 6.5 §6.4.3.5.3) of I/O: 13 bytes follow the length, the window from the sixth on.
        for (var rest = tables["DSDT"].AsSpan(); rest.IndexOf((byte[])[0x88, 13, 0, 1]) is var at and >= 0; rest = rest[(at + 16)..])
            windows.Add((BitConverter.ToUInt16(rest[(at + 8)..]), BitConverter.ToUInt16(rest[(at + 10)..])));

        Assert.Equal([(0, 0xCF7), ((int)ports.Start, (int)ports.End - 1)], windows);
    }

    [Fact]
    public void The_64_bit_window_is_there_only_when_the_layout_has_one()
    {
        var layout = MemoryLayout.For(2ul << 30, 40);
        var window = AmlResources.QWordMemory(layout.Mmio64.Start, layout.Mmio64.End - 1).Bytes;
        Assert.True(Has(new WrittenTables(layout: layout), window));
        var narrow = new WrittenTables(layout: MemoryLayout.For(2ul << 30, 32));
        Assert.Equal(0ul, narrow.Layout.Mmio64.Length);
        Assert.False(Has(narrow, new byte[] { 0x8A, 0x2B, 0x00 }));
    }

    [Fact]
    public void The_ECAM_is_claimed_as_a_motherboard_resource()
    {
        var tables = new WrittenTables();
        Assert.True(Has(tables, AmlResources.Memory32Fixed((uint)tables.Layout.EcamStart, 1 << 20).Bytes));
        Assert.True(Has(tables, Aml.Name("_HID", Aml.EisaId("PNP0C02"))));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_serial_port_is_there_when_the_machine_has_it(bool hasCom1) =>
        Assert.Equal(hasCom1, Has(new WrittenTables(hasCom1: hasCom1), Aml.Name("_HID", Aml.EisaId("PNP0501"))));

    [Theory]
    [InlineData(1, 0x3F8, 4)]
    [InlineData(2, 0x2F8, 3)]
    [InlineData(3, 0x3E8, 4)]
    [InlineData(4, 0x2E8, 3)]
    public void Each_serial_port_is_at_its_ports_and_interrupt(int number, ushort first, int irq)
    {
        var device = Aml.Device(
            $"COM{number}",
            Aml.Name("_HID", Aml.EisaId("PNP0501")),
            Aml.Name("_UID", Aml.Integer((ulong)number)),
            Aml.Name("_CRS", AmlResources.Template(AmlResources.Io(first, 8), AmlResources.Irq(irq))));
        Assert.True(Has(new WrittenTables(serialPorts: [1, 2, 3, 4]), device));
        Assert.False(Has(new WrittenTables(serialPorts: []), device));
    }

    [Fact]
    public void The_clock_has_its_ports_and_interrupt_8() => Assert.True(Has(new WrittenTables(), Aml.Device(
        "RTC",
        Aml.Name("_HID", Aml.EisaId("PNP0B00")),
        Aml.Name("_CRS", AmlResources.Template(AmlResources.Io(0x70, 2), AmlResources.Irq(8))))));

    [Fact]
    public void Every_CPU_is_a_device_with_the_MADTs_UID()
    {
        var tables = new WrittenTables(cpus: 300);
        for (var cpu = 0; cpu < 300; cpu++)
        {
            var processor = Aml.Device($"C{cpu:X3}", Aml.Name("_HID", Aml.String("ACPI0007")), Aml.Name("_UID", Aml.Integer((ulong)cpu)));
            Assert.True(Has(tables, processor));
        }
    }

    [Fact]
    public void It_is_one_name_and_one_scope_that_ends_with_the_table()
    {
        var dsdt = new WrittenTables(cpus: 300)["DSDT"];
        var name = Aml.Name("\\_S5", Aml.Package(Aml.Integer(0), Aml.Integer(0), Aml.Integer(0), Aml.Integer(0))).Bytes.Length;
        var scope = 36 + name;
        Assert.Equal(0x10, dsdt[scope]);
        // Two bytes of PkgLength follow the first: 4 bits, then 8 each.
        Assert.Equal(2, dsdt[scope + 1] >> 6);
        var length = (dsdt[scope + 1] & 15) | (dsdt[scope + 2] << 4) | (dsdt[scope + 3] << 12);
        Assert.Equal(dsdt.Length, scope + 1 + length);
    }

    private static bool Has(WrittenTables tables, AmlTerm term) => Has(tables, term.Bytes);

    private static bool Has(WrittenTables tables, ReadOnlyMemory<byte> bytes) => tables["DSDT"].AsSpan(36).IndexOf(bytes.Span) >= 0;
}
