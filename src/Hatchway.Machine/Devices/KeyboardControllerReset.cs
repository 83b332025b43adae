using Hatchway.Pci.Address;

namespace Hatchway.Machine.Devices;

/// <summary>What is left of a PC's keyboard controller: command 0xFE at port 0x64, which pulses the processor's reset line.</summary>
/// <remarks>
/// Operating systems try it when ACPI's reset did nothing. There is no controller otherwise, which the FADT says too, so the status
/// reads as an empty bus does: a driver that looks all the same finds its output buffer full for ever, and gives up. Any thread.
/// </remarks>
public sealed class KeyboardControllerReset : IAddressTarget
{
    /// <summary>The command and status port.</summary>
    public const ushort Port = 0x64;

    private const byte PulseReset = 0xFE;

    private readonly IPowerControl _power;

    /// <summary>Makes the port.</summary>
    public KeyboardControllerReset(IPowerControl power)
    {
        ArgumentNullException.ThrowIfNull(power);
        _power = power;
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width) => width.AllOnes();

    /// <inheritdoc/>
    public void Write(ulong offset, AccessWidth width, ulong value)
    {
        if ((byte)value == PulseReset)
            _power.Request(PowerEvent.Reset);
    }
}
