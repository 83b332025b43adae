using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;
using static Hatchway.Machine.Acpi.AcpiTable;

namespace Hatchway.Machine.Acpi;

/// <summary>The interrupt controllers (ACPI 6.5 §5.2.12).</summary>
internal static class Madt
{
    // PCAT_COMPAT: there is a pair of 8259s, which a system must mask before it uses the APICs.
    private const uint HasLegacyPics = 1;
    private const uint Enabled = 1;

    // The largest id that an xAPIC can have; 255 is its broadcast id.
    private const uint LastLocalApicId = 254;

    // MPS INTI flags: as the bus specifies, or active high (bits 1:0 = 1) and level-triggered (bits 3:2 = 3).
    private const ushort Conforming = 0;
    private const ushort ActiveHighLevel = 0b1101;

    private const byte NmiInput = 1;

    private enum Entry : byte
    {
        LocalApic = 0,
        IoApic = 1,
        InterruptSourceOverride = 2,
        LocalApicNmi = 4,
        LocalX2Apic = 9,
        LocalX2ApicNmi = 10,
    }

    /// <summary>Builds the table. A CPU's UID is its index.</summary>
    public static byte[] Build(int cpus, Func<int, uint> apicId)
    {
        var body = new List<byte>();
        body.AddRange(LittleEndian((uint)MemoryLayout.LocalApicAddress));
        body.AddRange(LittleEndian(HasLegacyPics));
        for (var cpu = 0; cpu < cpus; cpu++)
            AddCpu(body, cpu, apicId(cpu));

        var lastId = apicId(cpus - 1);
        // An id that no local APIC has, while 8 bits leave one.
        var id = (byte)Math.Min(lastId + 1, byte.MaxValue);
        Add(body, Entry.IoApic, [id, 0, .. LittleEndian((uint)MemoryLayout.IoApicAddress), .. LittleEndian(0u)]);
        AddOverride(body, 0, 2, Conforming);
        AddOverride(body, (byte)PowerManagementDevice.SciGsi, (byte)PowerManagementDevice.SciGsi, ActiveHighLevel);

        // A UID of all ones means every CPU.
        Add(body, Entry.LocalApicNmi, [byte.MaxValue, .. LittleEndian(Conforming), NmiInput]);
        if (lastId > LastLocalApicId)
            Add(body, Entry.LocalX2ApicNmi, [.. LittleEndian(Conforming), .. LittleEndian(uint.MaxValue), NmiInput, 0, 0, 0]);

        var table = new AcpiTable("APIC", 4, HeaderLength + body.Count);
        table.Bytes(HeaderLength, body.ToArray());
        return table.Finish();
    }

    private static void AddCpu(List<byte> body, int cpu, uint id)
    {
        if (id <= LastLocalApicId)
            Add(body, Entry.LocalApic, [(byte)cpu, (byte)id, .. LittleEndian(Enabled)]);
        else
            Add(body, Entry.LocalX2Apic, [0, 0, .. LittleEndian(id), .. LittleEndian(Enabled), .. LittleEndian((uint)cpu)]);
    }

    // Bus 0 is ISA.
    private static void AddOverride(List<byte> body, byte irq, byte gsi, ushort flags) =>
        Add(body, Entry.InterruptSourceOverride, [0, irq, .. LittleEndian((uint)gsi), .. LittleEndian(flags)]);

    private static void Add(List<byte> body, Entry entry, ReadOnlySpan<byte> content)
    {
        body.Add((byte)entry);
        body.Add((byte)(content.Length + 2));
        body.AddRange(content);
    }
}
