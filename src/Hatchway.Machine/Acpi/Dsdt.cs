using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;
using Hatchway.Pci.Topology;
using static Hatchway.Machine.Acpi.Aml;
using static Hatchway.Machine.Acpi.AmlResources;

namespace Hatchway.Machine.Acpi;

/// <summary>The differentiated system description table: devices that a system can't discover by itself.</summary>
internal static class Dsdt
{
    private const int PinsPerSlot = 4;

    // PCI Firmware 3.3 §4.5.1, and its table 4-5 for the bits of the first dword that _OSC returns.
    private const string HostBridgeUuid = "33DB4D5B-1FF7-401C-9657-7441C03DD766";
    private const ulong UnrecognizedUuid = 1 << 2;
    private const ulong UnrecognizedRevision = 1 << 3;
    private const ulong CapabilitiesMasked = 1 << 4;

    /// <summary>Builds the table. Revision 2: integers have 64 bits.</summary>
    public static byte[] Build(AcpiDescription description)
    {
        var aml = Concatenate(
            Name(
                "\\_S5",
                Package(Integer(PowerManagementDevice.SleepTypeOff), Integer(PowerManagementDevice.SleepTypeOff), Integer(0), Integer(0))),
            Scope("\\_SB", [HostBridge(description), EcamReservation(description.Layout), .. Processors(description.Cpus)]));
        var table = new AcpiTable("DSDT", 2, AcpiTable.HeaderLength + aml.Length);
        table.Bytes(AcpiTable.HeaderLength, aml);
        return table.Finish();
    }

    private static AmlTerm HostBridge(AcpiDescription description)
    {
        var children = new List<AmlTerm>
        {
            Name("_HID", EisaId("PNP0A08")),
            Name("_CID", EisaId("PNP0A03")),
            Name("_SEG", Integer(0)),
            Name("_BBN", Integer(0)),
            Name("_UID", Integer(0)),
            Name("_CRS", HostBridgeWindows(description.Layout)),
            Name("_PRT", InterruptRouting(description.Slots)),
            OperatingSystemCapabilities(),
            Rtc(),
        };
        foreach (var number in description.SerialPorts)
            children.Add(Serial(SerialPort.Numbered(number)));
        if (description.HasFwCfg)
            children.Add(FirmwareConfiguration());
        return Device("PCI0", [.. children]);
    }

    // Ports: those of configuration mechanism #1, which are the bridge's own; what is below, where the ISA bus' devices are; and what BARs
    // may have.
    private static AmlTerm HostBridgeWindows(MemoryLayout layout)
    {
        var windows = new List<AmlResource>
        {
            WordBusNumber(0, 0),
            Io(ConfigPorts.FirstPort, ConfigPorts.PortCount),
            WordIo(0, ConfigPorts.FirstPort - 1),
            WordIo((ushort)layout.Ports.Start, (ushort)(layout.Ports.End - 1)),
            DWordMemory((uint)layout.Mmio32.Start, (uint)(layout.Mmio32.End - 1)),
        };
        if (layout.Mmio64.Length != 0)
            windows.Add(QWordMemory(layout.Mmio64.Start, layout.Mmio64.End - 1));
        return Template([.. windows]);
    }

    // Pins go straight to I/O APIC inputs, without link devices (ACPI 6.5 §6.2.13). Function 0xFFFF means all; pins count from 0.
    private static AmlTerm InterruptRouting(IReadOnlyList<int> slots)
    {
        var routes = new List<AmlTerm>();
        foreach (var slot in slots)
        {
            var address = Integer(((ulong)slot << 16) | 0xFFFF);
            for (var pin = 0; pin < PinsPerSlot; pin++)
                routes.Add(Package(address, Integer((ulong)pin), Integer(0), Integer(IntxRouting.Gsi(slot, pin + 1))));
        }
        return Package([.. routes]);
    }

    // Grants the guest no control: hot plug, error reporting and the like of real devices stay with the host.
    private static AmlTerm OperatingSystemCapabilities()
    {
        var status = Reference("CDW1");
        var control = Reference("CDW3");
        return Method(
            "_OSC",
            4,
            CreateDWordField(Arg(3), 0, "CDW1"),
            If(
                Equal(Arg(0), Uuid(HostBridgeUuid)),
                CreateDWordField(Arg(3), 8, "CDW3"),
                If(NotEqual(Arg(1), Integer(1)), OrInto(status, Integer(UnrecognizedRevision))),
                If(NotEqual(control, Integer(0)), OrInto(status, Integer(CapabilitiesMasked)), Store(Integer(0), control))),
            Else(OrInto(status, Integer(UnrecognizedUuid))),
            Return(Arg(3)));
    }

    private static AmlTerm Rtc() => Device(
        "RTC",
        Name("_HID", EisaId("PNP0B00")),
        Name("_CRS", Template(Io(RealTimeClock.FirstPort, RealTimeClock.PortCount), Irq((int)RealTimeClock.Gsi))));

    private static AmlTerm Serial(SerialPort port) => Device(
        $"COM{port.Number}",
        Name("_HID", EisaId("PNP0501")),
        Name("_UID", Integer((ulong)port.Number)),
        Name("_CRS", Template(Io(port.FirstPort, Uart16550.PortCount), Irq((int)port.Gsi))));

    // QEMU docs/specs/fw_cfg.rst, "ACPI Interface".
    private static AmlTerm FirmwareConfiguration() => Device(
        "FWCF",
        Name("_HID", String("QEMU0002")),
        Name("_STA", Integer(0xB)),
        Name("_CRS", Template(Io(FwCfg.FirstPort, FwCfg.PortCount))));

    // Systems trust the MCFG only where a motherboard resource claims the same range (PCI Firmware 3.3 §4.1.2).
    private static AmlTerm EcamReservation(MemoryLayout layout) => Device(
        "ECAM",
        Name("_HID", EisaId("PNP0C02")),
        Name("_UID", Integer(0)),
        Name("_CRS", Template(Memory32Fixed((uint)layout.EcamStart, (uint)Ecam.BytesPerBus))));

    private static IEnumerable<AmlTerm> Processors(int cpus)
    {
        for (var cpu = 0; cpu < cpus; cpu++)
        {
            yield return Device(
                $"C{cpu:X3}",
                Name("_HID", String("ACPI0007")),
                Name("_UID", Integer((ulong)cpu)));
        }
    }
}
