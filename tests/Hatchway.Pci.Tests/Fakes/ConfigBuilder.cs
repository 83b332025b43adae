using System.Buffers.Binary;
using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>Builds a config space with the chains that a test needs, correct or not: each capability is linked after the last
/// one.</summary>
internal sealed class ConfigBuilder
{
    private readonly byte[] _bytes;
    private readonly Dictionary<BarIndex, ulong> _regions = [];
    private int _lastStandard = -1;
    private int _lastExtended = -1;

    public ConfigBuilder(int size = Header.ExpressSize)
    {
        _bytes = new byte[size];
        Set16(Header.VendorId, 0x1AF4).Set16(Header.DeviceId, 0x10F0).Set8(Header.InterruptPin, 1);
    }

    public ConfigBuilder Set8(int at, byte value)
    {
        _bytes[at] = value;
        return this;
    }

    public ConfigBuilder Set16(int at, ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(at), value);
        return this;
    }

    public ConfigBuilder Set32(int at, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(at), value);
        return this;
    }

    public ConfigBuilder Bar(int index, uint flags, ulong size)
    {
        _regions[new BarIndex((byte)index)] = size;
        return Set32(Header.Bar0 + (4 * index), flags);
    }

    public ConfigBuilder Rom(ulong size)
    {
        _regions[BarIndex.Rom] = size;
        return this;
    }

    /// <summary>Adds a standard capability; the body begins at its third byte.</summary>
    public ConfigBuilder Capability(int at, CapabilityId id, params byte[] body)
    {
        Set8(_lastStandard < 0 ? Header.CapabilitiesPointer : _lastStandard + 1, (byte)at);
        Set16(Header.Status, Header.StatusCapabilityList);
        Set8(at, (byte)id);
        body.CopyTo(_bytes.AsSpan(at + 2));
        _lastStandard = at;
        return this;
    }

    /// <summary>Adds MSI-X with this many vectors, and its table and pending bits at the given places.</summary>
    public ConfigBuilder Msix(int at, int vectors, int bar, uint table, uint pending, int pendingBar = -1) =>
        Capability(at, CapabilityId.Msix)
            .Set16(at + Spec.Msix.Control, (ushort)(vectors - 1))
            .Set32(at + Spec.Msix.Table, table | (uint)bar)
            .Set32(at + Spec.Msix.Pba, pending | (uint)(pendingBar < 0 ? bar : pendingBar));

    /// <summary>Adds MSI that asks for two to the power of <paramref name="log"/> vectors.</summary>
    public ConfigBuilder Msi(int at, int log, bool address64 = true, bool masking = false) =>
        Capability(at, CapabilityId.Msi).Set16(at + Spec.Msi.Control, (ushort)(
            (log << 1) | (address64 ? Spec.Msi.Address64 : 0) | (masking ? Spec.Msi.PerVectorMasking : 0)));

    /// <summary>Adds power management with D1, D2, both or neither, and wake-up from all states.</summary>
    public ConfigBuilder Power(int at, bool d1 = false, bool d2 = false) =>
        Capability(at, CapabilityId.PowerManagement).Set16(at + PowerManagement.Capabilities, (ushort)(
            0xF803 | (d1 ? 0x200 : 0) | (d2 ? 0x400 : 0))).Set16(at + PowerManagement.ControlStatus, 0x8108);

    public ConfigBuilder Extended(int at, ExtendedCapabilityId id, int version = 1)
    {
        if (_lastExtended >= 0)
            _bytes[_lastExtended + 2] |= (byte)((at & 0xF) << 4);
        if (_lastExtended >= 0)
            _bytes[_lastExtended + 3] = (byte)(at >> 4);
        Set32(at, (uint)id | ((uint)version << 16));
        _lastExtended = at;
        return this;
    }

    public RecordedFunction Build() => new("built", (byte[])_bytes.Clone(), _regions);
}
