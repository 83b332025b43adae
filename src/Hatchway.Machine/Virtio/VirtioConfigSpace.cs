using System.Buffers.Binary;
using Hatchway.Machine.Virtio.Spec;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;

namespace Hatchway.Machine.Virtio;

/// <summary>The config space of a virtio function (VIRTIO 1.2 §4.1.2, §4.1.4): one 64-bit BAR, MSI-X, and the capabilities that locate
/// the structures.</summary>
/// <remarks>
/// A guest's accesses come through an assigned function's mediator, which serialises writes and emulates BARs, MSI-X and the interrupt
/// registers. The command register and the window of the configuration access capability are left for this class.
/// </remarks>
internal sealed class VirtioConfigSpace : IHostConfigSpace
{
    private const ushort StatusInterrupt = 1 << 3;
    // BAR0 takes the two registers of a 64-bit one, and the next is free.
    public static readonly BarIndex StructuresBar = new(0);
    public static readonly BarIndex MsixBar = new(2);

    private const int MsixAt = 0x40;
    private const int CommonAt = 0x50;
    private const int NotifyAt = 0x60;
    private const int IsrAt = 0x74;
    private const int DeviceAt = 0x84;
    private const int AccessAt = 0x94;

    private readonly byte[] _bytes = new byte[Header.ConventionalSize];
    private readonly VirtioInterrupts _interrupts;
    private readonly Action<bool> _busMaster;
    private IHostRegion? _window;

    public VirtioConfigSpace(IVirtioDevice device, int vectors, VirtioInterrupts interrupts, Action<bool> busMaster)
    {
        _interrupts = interrupts;
        _busMaster = busMaster;
        SetWord(Header.VendorId, VirtioPci.Vendor);
        SetWord(Header.DeviceId, (ushort)(VirtioPci.FirstDevice + device.DeviceType));
        SetWord(Header.Status, Header.StatusCapabilityList);
        _bytes[Header.RevisionId] = VirtioPci.Revision;
        SetWord(Header.ClassCode, (ushort)device.ClassCode);
        _bytes[Header.ClassCode + 2] = (byte)(device.ClassCode >> 16);
        SetDword(Header.Bar0, BarBits.Type64);
        // Any value is allowed; these are customary (§4.1.2.1).
        SetWord(Header.SubsystemVendorId, VirtioPci.Vendor);
        SetWord(Header.SubsystemVendorId + 2, (ushort)(VirtioPci.FirstDevice + device.DeviceType));
        _bytes[Header.InterruptPin] = 1;
        _bytes[Header.CapabilitiesPointer] = vectors > 0 ? (byte)MsixAt : (byte)CommonAt;
        if (vectors > 0)
            AddMsix(vectors, CommonAt);
        AddStructure(CommonAt, NotifyAt, VirtioCapability.Common, VirtioRegion.CommonAt, CommonRegister.Bytes);
        AddStructure(NotifyAt, IsrAt, VirtioCapability.Notify, VirtioRegion.NotifyAt,
            device.QueueSizes.Count * VirtioRegion.DoorbellBytes, VirtioCapability.LongBytes);
        SetDword(NotifyAt + VirtioCapability.More, VirtioRegion.DoorbellBytes);
        // A device without configuration has no such structure (§4.1.4.6); Linux complains of an empty one.
        var hasConfiguration = device.ConfigurationBytes > 0;
        AddStructure(IsrAt, (byte)(hasConfiguration ? DeviceAt : AccessAt), VirtioCapability.Isr, VirtioRegion.IsrAt, 1);
        if (hasConfiguration)
            AddStructure(DeviceAt, AccessAt, VirtioCapability.Device, VirtioRegion.DeviceAt, device.ConfigurationBytes);
        AddStructure(AccessAt, 0, VirtioCapability.ConfigAccess, 0, 0, VirtioCapability.LongBytes);
    }

    public int Size => Header.ConventionalSize;

    /// <summary>Sets the region that the configuration access capability accesses.</summary>
    public void SetWindow(IHostRegion region) => _window = region;

    public uint Read(ConfigOffset offset, AccessWidth width)
    {
        if (offset.Value == AccessAt + VirtioCapability.More && TryAim(out var at, out var aimed) && aimed <= width)
        {
            _window!.TryRead(at, aimed, out var found);
            return (uint)found;
        }
        var value = (uint)width.Load(_bytes.AsSpan(offset.Value));
        // A driver may read the status register together with the command register, in one access.
        var status = Header.Status - offset.Value;
        if (status >= 0 && status < (int)width && _interrupts.IsPending)
            value |= (uint)StatusInterrupt << (8 * status);
        return value;
    }

    public void Write(ConfigOffset offset, AccessWidth width, uint value)
    {
        if (offset.Value == AccessAt + VirtioCapability.More)
        {
            if (TryAim(out var at, out var aimed) && aimed <= width)
                _window!.TryWrite(at, aimed, value & (uint)aimed.AllOnes());
            return;
        }
        for (var i = 0; i < (int)width; i++)
        {
            if (IsWritable(offset.Value + i))
                _bytes[offset.Value + i] = (byte)(value >> (8 * i));
        }
        if (offset.Value is Header.Command or Header.Command + 1)
            FollowCommand();
    }

    // The driver may write BAR, offset and length of the configuration access capability (§4.1.4.9.1).
    private static bool IsWritable(int at) => at is Header.Command or Header.Command + 1 or AccessAt + VirtioCapability.Bar
        or (>= AccessAt + VirtioCapability.Offset and < AccessAt + VirtioCapability.More);

    private void FollowCommand()
    {
        var command = (CommandBits)BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(Header.Command));
        _interrupts.SetIntxDisable((command & CommandBits.IntxDisable) != 0);
        _busMaster((command & CommandBits.BusMaster) != 0);
    }

    // Reads which offset, at which width, the driver wants to access; the offset must be aligned to the width (§4.1.4.9.2).
    private bool TryAim(out ulong offset, out AccessWidth width)
    {
        offset = BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(AccessAt + VirtioCapability.Offset));
        var length = BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(AccessAt + VirtioCapability.StructureLength));
        width = (AccessWidth)length;
        return length is 1 or 2 or 4 && offset % length == 0 && _bytes[AccessAt + VirtioCapability.Bar] == StructuresBar.Value
            && _window is not null && offset + length <= _window.Size;
    }

    private void AddMsix(int vectors, byte next)
    {
        _bytes[MsixAt] = (byte)CapabilityId.Msix;
        _bytes[MsixAt + 1] = next;
        SetWord(MsixAt + Msix.Control, (ushort)(vectors - 1));
        SetDword(MsixAt + Msix.Table, VirtioMsixRegion.TableAt | MsixBar.Value);
        SetDword(MsixAt + Msix.Pba, VirtioMsixRegion.PendingAt | MsixBar.Value);
    }

    private void AddStructure(int at, byte next, byte type, uint offset, int length, byte bytes = VirtioCapability.Bytes)
    {
        _bytes[at] = (byte)CapabilityId.VendorSpecific;
        _bytes[at + 1] = next;
        _bytes[at + VirtioCapability.Length] = bytes;
        _bytes[at + VirtioCapability.Type] = type;
        SetDword(at + VirtioCapability.Offset, offset);
        SetDword(at + VirtioCapability.StructureLength, (uint)length);
    }

    private void SetWord(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(at), value);

    private void SetDword(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(at), value);
}
