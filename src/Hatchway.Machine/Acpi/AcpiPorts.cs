namespace Hatchway.Machine.Acpi;

/// <summary>Where the tables say that ACPI's fixed hardware is: the machine's devices answer there (ACPI 6.5 §4.8).</summary>
internal static class AcpiPorts
{
    /// <summary>PM1a_STS and PM1a_EN, two bytes each.</summary>
    public const ushort Pm1aEvent = 0x600;

    /// <summary>PM1a_CNT, two bytes.</summary>
    public const ushort Pm1aControl = 0x604;

    /// <summary>PM_TMR, 24 bits at 3.579545 MHz in four bytes.</summary>
    public const ushort PmTimer = 0x608;

    /// <summary>The reset register, one byte.</summary>
    public const ushort Reset = 0xCF9;

    /// <summary>What resets the machine when written to <see cref="Reset"/>.</summary>
    public const byte ResetValue = 6;

    /// <summary>The system control interrupt's I/O APIC input, level-triggered and active high.</summary>
    public const byte SciGsi = 9;

    /// <summary>SLP_TYP of S5 in PM1a_CNT.</summary>
    public const byte SoftOffType = 5;
}
