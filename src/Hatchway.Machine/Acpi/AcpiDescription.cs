using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Acpi;

/// <summary>What the tables describe.</summary>
/// <param name="Cpus">CPUs, with APIC ids from 0; 1 to <see cref="AcpiTables.MostCpus"/>.</param>
/// <param name="Layout">Where the host bridge's windows are.</param>
/// <param name="HasCom1">Whether there is a serial port at 0x3F8 with IRQ 4.</param>
/// <param name="Slots">Device numbers present on bus 0, 0 to 31.</param>
public sealed record AcpiDescription(int Cpus, MemoryLayout Layout, bool HasCom1, IReadOnlyList<int> Slots)
{
    /// <summary>Whether there is a <see cref="Devices.FwCfg"/>.</summary>
    public bool HasFwCfg { get; init; }
}
