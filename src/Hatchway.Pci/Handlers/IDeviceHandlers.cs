using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Handlers;

/// <summary>
/// The entry point of a library of register handlers. The library has one class that implements this, with a constructor without
/// parameters. Each device that uses the library gets an instance (<c>-s 4:0,passthru,0/6/0,handler=Mine.dll</c>).
/// </summary>
public interface IDeviceHandlers
{
    /// <summary>Adds handlers for the device's registers. Called once, before the guest runs.</summary>
    /// <param name="device">The device; may be kept, for its log.</param>
    void Attach(IDeviceContext device);
}

/// <summary>A passed-through device, as a library of register handlers sees it.</summary>
public interface IDeviceContext
{
    /// <summary>Vendor ID.</summary>
    ushort VendorId { get; }

    /// <summary>Device ID.</summary>
    ushort DeviceId { get; }

    /// <summary>The device's address on the host.</summary>
    PciAddress Host { get; }

    /// <summary>The device's address in the guest.</summary>
    PciAddress Guest { get; }

    /// <summary>Bytes of a BAR, 0 when the device does not have it.</summary>
    /// <param name="bar">0 to 5.</param>
    ulong BarSize(BarIndex bar);

    /// <summary>Gives registers to a handler. Their pages are then not mapped into the guest, so each access to them is an exit.</summary>
    /// <param name="bar">0 to 5.</param>
    /// <param name="offset">The first byte, from the BAR's start.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="name">A name of the registers, for messages.</param>
    /// <param name="handler">Answers accesses; several vCPU threads may call it at once.</param>
    /// <exception cref="HandlerException">
    /// The device does not have that BAR, or the range does not fit it, or overlaps another handler's.
    /// </exception>
    void Handle(BarIndex bar, ulong offset, ulong length, string name, IBarHandler handler);

    /// <summary>Writes a line to the monitor's standard error, after the device's address. Any thread may call; the call is slow.</summary>
    void Log(string line);
}
