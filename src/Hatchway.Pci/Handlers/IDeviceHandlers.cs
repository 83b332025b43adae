using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Handlers;

/// <summary>
/// The entry point of a library of register handlers. Its one class that implements this has a constructor without parameters; each device
/// that the library is given to gets an instance (<c>-s 4:0,passthru,0/6/0,handler=Mine.dll</c>).
/// </summary>
public interface IDeviceHandlers
{
    /// <summary>Says which registers are to be trapped. Called once, before the guest runs.</summary>
    /// <param name="device">The device; may be kept for its log.</param>
    void Attach(IDeviceContext device);
}

/// <summary>A passed-through device, as a library of register handlers sees it.</summary>
public interface IDeviceContext
{
    /// <summary>Vendor ID.</summary>
    ushort VendorId { get; }

    /// <summary>Device ID.</summary>
    ushort DeviceId { get; }

    /// <summary>Where the device is on the host.</summary>
    PciAddress Host { get; }

    /// <summary>Where it is in the guest.</summary>
    PciAddress Guest { get; }

    /// <summary>Bytes of a BAR, 0 when the device does not have it.</summary>
    /// <param name="bar">0 to 5.</param>
    ulong BarSize(BarIndex bar);

    /// <summary>Gives registers to a handler. Their page is no longer mapped into the guest: each access to it is an exit.</summary>
    /// <param name="bar">0 to 5.</param>
    /// <param name="offset">The first byte, from the BAR's start.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="name">For messages: what the registers are called.</param>
    /// <param name="handler">Answers, on vCPU threads, several at once.</param>
    /// <exception cref="HandlerException">
    /// The device does not have that BAR, or it ends before the range does, or another handler has a part of it.
    /// </exception>
    void Handle(BarIndex bar, ulong offset, ulong length, string name, IBarHandler handler);

    /// <summary>Writes a line to the monitor's standard error, with the device's address before it. Any thread; it takes a while.</summary>
    void Log(string line);
}
