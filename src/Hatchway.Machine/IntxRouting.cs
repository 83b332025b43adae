using Hatchway.Machine.Devices;

namespace Hatchway.Machine;

/// <summary>Maps a function's INTx pin to an interrupt controller input; the only place that defines this.</summary>
/// <remarks>
/// The ACPI <c>_PRT</c> tells the guest, and the program wires devices accordingly. The I/O APIC's inputs 16 to 23 rotate over the slots,
/// so that neighbouring slots do not share (PCI Local Bus 3.0 §2.2.6, the rotation of a backplane). A <c>_PRT</c> entry that names
/// a GSI means level-triggered and active low, PCI's convention (ACPI 6.5 §6.2.13); KVM's I/O APIC ignores the polarity bit, so
/// <see cref="IInterruptLine.Set"/> with true asserts it with either.
/// </remarks>
public static class IntxRouting
{
    /// <summary>The first global system interrupt used.</summary>
    public const uint FirstGsi = 16;

    /// <summary>The number of global system interrupts used.</summary>
    public const uint GsiCount = 8;

    /// <summary>The global system interrupt of a slot's pin.</summary>
    /// <param name="slot">Device number, 0 to 31.</param>
    /// <param name="pin">1 to 4 for INTA to INTD, as the interrupt pin register counts.</param>
    /// <returns>16 to 23.</returns>
    public static uint Gsi(int slot, int pin)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)slot, 31u, nameof(slot));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)(pin - 1), 3u, nameof(pin));
        return FirstGsi + ((uint)(slot + pin - 1) % GsiCount);
    }
}
