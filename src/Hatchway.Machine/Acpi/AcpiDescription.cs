using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Acpi;

/// <summary>The machine that the tables describe.</summary>
/// <param name="Cpus">CPUs; 1 to <see cref="AcpiTables.MostCpus"/>.</param>
/// <param name="Layout">Where the host bridge's windows are.</param>
/// <param name="SerialPorts">Numbers of the serial ports that exist, 1 to 4, as in COM1.</param>
/// <param name="Slots">Device numbers present on bus 0, 0 to 31.</param>
public sealed record AcpiDescription(int Cpus, MemoryLayout Layout, IReadOnlyList<int> SerialPorts, IReadOnlyList<int> Slots)
{
    /// <summary>Gives a CPU's local APIC id by its index; ids rise with indices. They differ where the topology leaves gaps.</summary>
    public Func<int, uint> ApicId { get; init; } = static cpu => (uint)cpu;

    /// <summary>True when there is a <see cref="Devices.FwCfg"/>.</summary>
    public bool HasFwCfg { get; init; }
}
