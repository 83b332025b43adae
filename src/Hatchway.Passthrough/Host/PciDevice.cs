using Hatchway.Linux;
using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;

namespace Hatchway.Passthrough.Host;

/// <summary>One PCI function of the host, its registers at hand: config space, and BARs of memory and of I/O ports.</summary>
/// <remarks>
/// <para>
/// A function that VFIO has is reached by its group's file alone; the kernel resets it, where it can, when it is opened and when it is
/// closed. Any other is reached by its <c>config</c> and <c>resourceN</c> files in sysfs, which root may open, and nothing resets it.
/// /dev/mem and /dev/port are never used.
/// </para>
/// <para>
/// Each access reaches the device once, at the width asked for. Functions with another header than type 0 are refused, and so is a BAR that
/// a driver of the host has. For one thread at a time.
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

    // A virtual function's memory decoding is its physical function's to switch (PCIe 6.0 §9.3.4.1.3).
    private readonly bool _isVirtual;

    private PciDevice(HostDevice host, IReadOnlyList<PciResource> resources, bool isVirtual, IDeviceRegisters registers) =>
        (Host, _resources, _isVirtual, _registers) = (host, resources, isVirtual, registers);

    /// <summary>What the kernel says of the function.</summary>
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

    /// <summary>What a BAR decodes.</summary>
    /// <param name="bar">0 to 5; one that the function has.</param>
    public AddressSpaceKind BarSpace(BarIndex bar) =>
        BarSize(bar) > 0 && _resources[bar.Value].IsPorts ? AddressSpaceKind.Io : AddressSpaceKind.Memory;

    /// <summary>Makes one access.</summary>
    /// <returns>What was read, in the low bytes; what was written.</returns>
    /// <exception cref="PassthroughException">It lies outside, is not aligned, goes to a BAR without an address, to one that is not
    /// decoded or one that the host's driver has, or the device does not answer; nothing was written then.</exception>
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

    /// <summary>Reads a register.</summary>
    /// <inheritdoc cref="Access" path="/exception"/>
    public ulong ReadBar(BarIndex bar, ulong offset, AccessWidth width) => Access(new(AccessDirection.Read, bar, offset, width));

    /// <summary>Writes a register.</summary>
    /// <inheritdoc cref="Access" path="/exception"/>
    public void WriteBar(BarIndex bar, ulong offset, AccessWidth width, ulong value) =>
        Access(new(AccessDirection.Write, bar, offset, width, value));

    /// <summary>Closes it.</summary>
    public void Dispose() => _registers.Dispose();

    private void CheckReachable(in RegisterAccess access)
    {
        if (access.Bar is not { } bar)
        {
            CheckFits(access, (ulong)ConfigSize, AccessWidth.Dword);
            return;
        }
        CheckFits(access, BarSize(bar), BarSpace(bar) == AddressSpaceKind.Io ? AccessWidth.Dword : AccessWidth.Qword);
        // Ports and memory from 0 on are the machine's own.
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

    // Where nothing decodes, a read would give all ones, as if the device had said so.
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
