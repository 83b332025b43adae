using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Config;

/// <summary>The writes to config space by which software resets a function, as its capabilities have them.</summary>
/// <remarks>
/// The host function performs the reset itself when the write reaches it. A host's kernel then puts back what it wants of the real
/// registers; what the guest sees of BARs, interrupts and the command register is not there, and has to be reset beside it.
/// </remarks>
internal sealed class ResetWrites
{
    // The byte that holds the bit.
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
    /// True for a write that brings a function in D3hot to D0 when that resets it: it comes up uninitialised (PCIe 6.0 §5.3.1.4.1).
    /// </summary>
    public bool IsSoftReset(uint powerState, ConfigOffset offset, AccessWidth width, uint value) =>
        powerState == PowerManagement.D3Hot
        && _power is { } power
        && power.IsIn(offset, width)
        && (Byte(power, offset, width, value) & PowerManagement.PowerStateMask) == PowerManagement.D0;

    // What a write puts into a byte; nothing where it does not reach.
    private static uint Byte(ConfigOffset? byteAt, ConfigOffset offset, AccessWidth width, uint value) =>
        byteAt is { } at && at.IsIn(offset, width) ? (value >> (8 * (at.Value - offset.Value))) & 0xFF : 0;
}
