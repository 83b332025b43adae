using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Interrupts;

/// <summary>Handles two registers through which a driver accesses the MSI-X table from another BAR, and leads them to the guest's
/// table.</summary>
/// <remarks>
/// <para>
/// Realtek's RTL8168 and RTL8111 have them in BAR2: data at 70h, and the command and address at 74h. In the latter, bit 31 is set for a
/// write, bits 30:16 select the target, of which 1 is the MSI-X table, and bits 11:0 are the offset in it. The device inverts bit 31 when
/// it is done (QEMU, hw/vfio/pci-quirks.c, vfio_probe_rtl8168_bar2_quirk; Linux drivers/net/ethernet/realtek/r8169_main.c calls the
/// registers ERIDR and ERIAR).
/// </para>
/// <para>
/// Drivers access both by dwords, from one CPU at a time, so nothing is locked. CPUs that access them at once may mix up their accesses.
/// </para>
/// </remarks>
/// <param name="table">The guest's table; null when the guest has none, which then reads as zero.</param>
public sealed class MsixBackDoor(MsixTable? table) : IBarHandler
{
    private const ushort Realtek = 0x10EC;
    private const ushort Rtl8168 = 0x8168;
    private const ulong At = 0x70;
    private const ulong Data = 0;
    private const ulong Address = 4;
    private const ulong Length = 8;
    private const uint Command = 1u << 31;
    private const uint TargetMask = 0x7FFF_0000;
    private const uint TableTarget = 1 << 16;
    private const uint OffsetMask = 0xFFF;

    private volatile uint _data;
    private volatile uint _address;

    /// <summary>Gives the registers' range in a device that has them; null for most.</summary>
    /// <param name="vendor">Vendor ID.</param>
    /// <param name="device">Device ID.</param>
    /// <param name="handler">The handler of the range.</param>
    public static BarHandlerRange? RangeOf(ushort vendor, ushort device, IBarHandler handler) => (vendor, device) == (Realtek, Rtl8168)
        ? new BarHandlerRange(new(2), At, Length, "back door of the MSI-X table", handler)
        : null;

    /// <inheritdoc/>
    public ulong Read(in BarAccess access) => access.Width switch
    {
        AccessWidth.Qword => ReadRegister(access, Data) | (ReadRegister(access, Address) << 32),
        AccessWidth.Dword when access.HandlerOffset is Data or Address => ReadRegister(access, access.HandlerOffset),
        _ => access.ReadHost(),
    };

    /// <inheritdoc/>
    /// <remarks>A write narrower than the register is dropped, since the rest of the register would be undefined.</remarks>
    public void Write(in BarAccess access, ulong value)
    {
        if (access.Width == AccessWidth.Qword)
        {
            WriteRegister(access, Data, (uint)value);
            WriteRegister(access, Address, (uint)(value >> 32));
        }
        else if (access.Width == AccessWidth.Dword && access.HandlerOffset is Data or Address)
        {
            WriteRegister(access, access.HandlerOffset, (uint)value);
        }
    }

    private static bool LeadsToTable(uint address) => (address & TargetMask) == TableTarget;

    private static ulong OffsetOf(in BarAccess access, ulong register) => access.Offset - access.HandlerOffset + register;

    private ulong ReadRegister(in BarAccess access, ulong register)
    {
        var address = _address;
        if (!LeadsToTable(address))
            return access.ReadHost(OffsetOf(access, register), AccessWidth.Dword);
        if (register == Address)
            return address ^ Command;
        var at = address & OffsetMask;
        return IsInTable(at) ? table!.Read(InTable(access.Bar, at)) : 0;
    }

    private void WriteRegister(in BarAccess access, ulong register, uint value)
    {
        if (register == Data)
            _data = value;
        else
            _address = value;
        // Data alone has no effect on the device until a command is written.
        if (register == Data || !LeadsToTable(value))
            access.WriteHost(OffsetOf(access, register), AccessWidth.Dword, value);
        else if ((value & Command) != 0 && IsInTable(value & OffsetMask))
            table!.Write(InTable(access.Bar, value & OffsetMask), _data);
    }

    private bool IsInTable(uint at) => table is not null && at + 4 <= (uint)(table.Count * Msix.EntryBytes);

    private static BarAccess InTable(BarIndex bar, uint at) => new(bar, at, at, AccessWidth.Dword, null);
}
