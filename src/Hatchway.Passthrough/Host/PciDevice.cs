using Hatchway.Linux;
using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;

namespace Hatchway.Passthrough.Host;

/// <summary>Reads and writes the registers of one PCI function of the host: config space, and BARs of memory and I/O ports.</summary>
/// <remarks>
/// <para>
/// A function that is bound to VFIO is accessed through its group's file; the kernel resets it, if it can, when it is opened and when it
/// is closed. Any other is accessed through its <c>config</c> and <c>resourceN</c> files in sysfs, which only root may open, and is not
/// reset. /dev/mem and /dev/port are never used.
/// </para>
/// <para>
/// Each access reaches the device once, at the width asked for. Functions whose header is not of type 0 are refused, as are BARs that a
/// driver of the host uses. For one thread at a time.
/// </para>
/// <example><code>
/// using var device = PciDevice.Open(PciAddress.Parse("0000:00:08.0"));
/// var identity = device.ReadBar(new BarIndex(0), 0, AccessWidth.Dword);
/// </code></example>
/// </remarks>
public sealed class PciDevice : IDisposable
{
    private readonly IDeviceRegisters _registers;
    private readonly IReadOnlyList<PciResource> _resources;

    // A virtual function's memory decoding is controlled by its physical function (PCIe 6.0 §9.3.4.1.3).
    private readonly bool _isVirtual;

    private PciDevice(HostDevice host, IReadOnlyList<PciResource> resources, bool isVirtual, IDeviceRegisters registers) =>
        (Host, _resources, _isVirtual, _registers) = (host, resources, isVirtual, registers);

    /// <summary>The function as sysfs describes it.</summary>
    public HostDevice Host { get; }

    /// <summary>Bytes of config space: 256 or 4096.</summary>
    public int ConfigSize => _registers.ConfigSize;

    /// <summary>Opens a function of the running host.</summary>
    /// <exception cref="PassthroughException">It is not there, is a bridge, or can't be opened; one line says what to do.</exception>
    public static PciDevice Open(PciAddress address) => Open(new HostView(), address);

    /// <summary>Opens a function.</summary>
    /// <param name="view">The host.</param>
    /// <param name="address">Which function.</param>
    /// <exception cref="PassthroughException">It is not there, is a bridge, or can't be opened; one line says what to do.</exception>
    public static PciDevice Open(HostView view, PciAddress address)
    {
        var host = DeviceSubject.Existing(view, address).Device!;
        if (host.HeaderLayout != 0)
        {
            throw new PassthroughException(
                $"{address} has a header of type {host.HeaderLayout}: only functions with one of type 0 are accessed");
        }
        IDeviceRegisters registers = host.IsBoundToVfio ? VfioRegisters.Open(host) : SysfsRegisters.Open(view, host);
        return new PciDevice(host, view.Resources(address), view.Sysfs.Exists($"{HostView.PathOf(address)}/physfn"), registers);
    }

    /// <summary>Bytes of a BAR; 0 when the function does not have it.</summary>
    /// <param name="bar">0 to 5.</param>
    public ulong BarSize(BarIndex bar) => bar.Value < Math.Min(_resources.Count, BarIndex.BarCount) ? _resources[bar.Value].Size : 0;

    /// <summary>The address space that a BAR decodes in.</summary>
    /// <param name="bar">0 to 5; one that the function has.</param>
    public AddressSpaceKind BarSpace(BarIndex bar) =>
        BarSize(bar) > 0 && _resources[bar.Value].IsPorts ? AddressSpaceKind.Io : AddressSpaceKind.Memory;

    /// <summary>Makes one access.</summary>
    /// <returns>The value read, in the low bytes, or the value written.</returns>
    /// <exception cref="PassthroughException">The access is out of range or not aligned; the BAR has no address, does not decode or is used
    /// by a driver of the host; or the device does not answer. Nothing was written.</exception>
    public ulong Access(RegisterAccess access)
    {
        CheckReachable(access);
        try
        {
            var value = access.Value;
            if (_registers.TryAccess(access, ref value))
                return value;
        }
        catch (LinuxException failure) when (failure.Errno == Errno.EPERM && !Host.IsBoundToVfio)
        {
            throw Error(
                $"{failure.Message}: this kernel is locked down, as with secure boot ('cat /sys/kernel/security/lockdown'): "
                + "bind it to vfio-pci, which still gives it");
        }
        catch (LinuxException failure)
        {
            throw Error(failure.Message);
        }
        throw Error($"{access.Place} at {access.Offset:x}h: the device did not answer");
    }

    /// <summary>Reads config space.</summary>
    /// <inheritdoc cref="Access" path="/exception"/>
    public uint ReadConfig(ConfigOffset offset, AccessWidth width) => (uint)Access(new(AccessDirection.Read, null, offset.Value, width));

    /// <summary>Writes config space.</summary>
    /// <inheritdoc cref="Access" path="/exception"/>
    public void WriteConfig(ConfigOffset offset, AccessWidth width, uint value) =>
        Access(new(AccessDirection.Write, null, offset.Value, width, value));

    /// <summary>Reads a register of a BAR.</summary>
    /// <inheritdoc cref="Access" path="/exception"/>
    public ulong ReadBar(BarIndex bar, ulong offset, AccessWidth width) => Access(new(AccessDirection.Read, bar, offset, width));

    /// <summary>Writes a register of a BAR.</summary>
    /// <inheritdoc cref="Access" path="/exception"/>
    public void WriteBar(BarIndex bar, ulong offset, AccessWidth width, ulong value) =>
        Access(new(AccessDirection.Write, bar, offset, width, value));

    /// <summary>Closes the function.</summary>
    public void Dispose() => _registers.Dispose();

    private void CheckReachable(in RegisterAccess access)
    {
        if (access.Bar is not { } bar)
        {
            CheckFits(access, (ulong)ConfigSize, AccessWidth.Dword);
            return;
        }
        CheckFits(access, BarSize(bar), BarSpace(bar) == AddressSpaceKind.Io ? AccessWidth.Dword : AccessWidth.Qword);
        // Address 0 means none: ports and memory from 0 on belong to the machine itself.
        if (_resources[bar.Value].IsUnassigned || _resources[bar.Value].Start == 0)
            throw Error($"{bar} has no address: the host's kernel found no room for it ('dmesg | grep BAR' tells more)");
        CheckDecoding(bar);
    }

    private void CheckFits(in RegisterAccess access, ulong size, AccessWidth widest)
    {
        if (size == 0)
            throw Error($"it has no {access.Place}");
        if (access.Fault(size, widest) is { } fault)
            throw Error(fault);
    }

    // A read of a BAR that does not decode gives all ones, which could be taken for the register's value.
    private void CheckDecoding(BarIndex bar)
    {
        if (_isVirtual)
            return;
        var wanted = BarSpace(bar) == AddressSpaceKind.Io ? CommandBits.Io : CommandBits.Memory;
        if (((CommandBits)ReadConfig(new(Header.Command), AccessWidth.Word) & wanted) == 0)
        {
            throw Error(
                $"{bar} does not answer, since its decoding is off: "
                + $"'echo 1 > /sys/bus/pci/devices/{Host.Address}/enable', or bind it to vfio-pci");
        }
    }

    private PassthroughException Error(string message) => new($"{Host.Address}: {message}");
}
