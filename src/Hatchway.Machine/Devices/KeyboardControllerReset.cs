using Hatchway.Pci.Address;

namespace Hatchway.Machine.Devices;

/// <summary>The one function of a PC's keyboard controller that exists: command 0xFE at port 0x64 pulses the processor's reset
/// line.</summary>
/// <remarks>
/// Operating systems try it when ACPI's reset did nothing. There is no other controller, as the FADT says, so the status reads as on an
/// empty bus: a driver that probes anyway finds the output buffer full for ever, and gives up. Any thread.
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
