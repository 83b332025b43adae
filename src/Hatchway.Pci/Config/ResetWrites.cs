using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Config;

/// <summary>Recognises the writes to config space by which software resets a function, according to its capabilities.</summary>
/// <remarks>
/// The host function performs the reset when the write reaches it, and the host's kernel then restores its real registers. The guest's
/// view of BARs, interrupts and the command register is not among them, and has to be reset separately.
/// </remarks>
internal sealed class ResetWrites
{
    // Offsets of the bytes that hold the bits.
    private readonly ConfigOffset? _express;
    private readonly ConfigOffset? _advanced;
    private readonly ConfigOffset? _power;

    public ResetWrites(IHostConfigSpace config, CapabilityChains chains)
    {
        if (chains.Find(CapabilityId.PciExpress) is { Length: >= PciExpress.Link } express
            && (config.ReadDword(express.Offset + PciExpress.DeviceCapabilities) & PciExpress.FlrCapable) != 0)
            _express = new ConfigOffset(express.Offset) + (PciExpress.DeviceControl + 1);
        if (chains.Find(CapabilityId.AdvancedFeatures) is { Length: >= AdvancedFeatures.Length } advanced)
        {
            const uint Both = AdvancedFeatures.TransactionsPending | AdvancedFeatures.FlrCapable;
            if ((config.ReadByte(advanced.Offset + AdvancedFeatures.Capabilities) & Both) == Both)
                _advanced = new ConfigOffset(advanced.Offset) + AdvancedFeatures.Control;
        }
        if (chains.Find(CapabilityId.PowerManagement) is { Length: >= PowerManagement.Length } power
            && (config.ReadWord(power.Offset + PowerManagement.ControlStatus) & PowerManagement.NoSoftReset) == 0)
            _power = new ConfigOffset(power.Offset) + PowerManagement.ControlStatus;
    }

    /// <summary>True for a write that initiates a function level reset (PCIe 6.0 §6.6.2; PCI Advanced Capabilities ECN §2).</summary>
    public bool IsFunctionLevelReset(ConfigOffset offset, AccessWidth width, uint value) =>
        (Byte(_express, offset, width, value) & (PciExpress.InitiateFlr >> 8)) != 0
        || (Byte(_advanced, offset, width, value) & AdvancedFeatures.InitiateFlr) != 0;

    /// <summary>
    /// True for a write that takes a function from D3hot to D0 if that resets it to the uninitialised state (PCIe 6.0 §5.3.1.4.1).
    /// </summary>
    public bool IsSoftReset(uint powerState, ConfigOffset offset, AccessWidth width, uint value) =>
        powerState == PowerManagement.D3Hot
        && _power is { } power
        && power.IsIn(offset, width)
        && (Byte(power, offset, width, value) & PowerManagement.PowerStateMask) == PowerManagement.D0;

    // The value that a write puts into a byte; 0 when it does not cover the byte.
    private static uint Byte(ConfigOffset? byteAt, ConfigOffset offset, AccessWidth width, uint value) =>
        byteAt is { } at && at.IsIn(offset, width) ? (value >> (8 * (at.Value - offset.Value))) & 0xFF : 0;
}
