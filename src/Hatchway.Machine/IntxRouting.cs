namespace Hatchway.Machine;

/// <summary>How INTx pins reach the I/O APIC: inputs 16 to 23, spread over the slots so that few devices share one.</summary>
public static class IntxRouting
{
    /// <summary>The I/O APIC input of a pin.</summary>
    /// <param name="slot">Device number on bus 0, 0 to 31.</param>
    /// <param name="pin">1 for INTA# to 4 for INTD#, as the Interrupt Pin register counts (PCI Local Bus 3.0 §6.2.4).</param>
    public static uint Gsi(int slot, int pin) => 16 + ((uint)(slot + pin - 1) % 8);
}
