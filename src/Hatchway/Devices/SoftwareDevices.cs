using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Machine;
using Hatchway.Machine.Virtio;
using Hatchway.Machine.Virtio.Devices;
using Hatchway.Passthrough.Kvm;
using Hatchway.Pci.Topology;
using Hatchway.Vm;
using Microsoft.Extensions.Logging;

namespace Hatchway.Devices;

/// <summary>The software devices that the user asked for.</summary>
internal sealed class SoftwareDevices : IDisposable
{
    private readonly List<VirtioSlotDevice> _devices = [];

    /// <summary>Makes them and puts them on the guest's bus.</summary>
    /// <param name="options">What the user asked for.</param>
    /// <param name="pc">The machine.</param>
    /// <param name="vm">Its VM.</param>
    /// <param name="routes">Its interrupt routes.</param>
    /// <param name="ram">Its RAM.</param>
    /// <param name="end">Ends the guest after an internal error.</param>
    /// <param name="log">Receives limitations.</param>
    /// <exception cref="UserException">A device can't be made.</exception>
    public SoftwareDevices(RunOptions options, Pc pc, KvmVm vm, InterruptRoutes routes, GuestRam ram, GuestEnd end, ILogger log)
    {
        // bhyve's -W asks for MSI instead of MSI-X, which virtio does not have (VIRTIO 1.2 §4.1.4.5): the interrupt pin remains.
        var msix = options.Settings.Root.Flag("virtio_msix", true);
        try
        {
            foreach (var slot in options.Slots)
            {
                if (slot.Emulation is not DeviceSlot device)
                    continue;
                // INTA, as the function's interrupt pin register says.
                var gsi = IntxRouting.Gsi(slot.Slot, 1);
                var made = Make(options.Name, slot, device, ram, new VirtioSlotDevice.Parts(
                    $"{slot.Slot}:{slot.Function}", device.Model, vm, routes, ram, pc.PciMap, pc.Connect(gsi), (byte)gsi,
                    options.IsMultiFunction(slot), new VirtioFunctionOptions(VirtioOptions.Packed(device.Settings), msix), end.Fail, log));
                _devices.Add(made);
                pc.Bus.Add(slot.Slot, slot.Function, made.Guest);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The guest's functions.</summary>
    public IEnumerable<NamedFunction> Guests => _devices.Select(static device => new NamedFunction($"slot {device.Name}", device.Guest));

    /// <summary>All of them, in the order of their slots.</summary>
    public IReadOnlyList<VirtioSlotDevice> All => _devices;

    /// <summary>Removes the devices from the guest; requests in progress end first.</summary>
    public void Dispose()
    {
        foreach (var device in _devices)
            device.Dispose();
    }

    private static VirtioSlotDevice Make(string guest, SlotOption place, DeviceSlot slot, GuestRam ram, VirtioSlotDevice.Parts parts)
    {
        switch (slot.Model)
        {
            case "virtio-rnd":
                return new VirtioSlotDevice(parts, () => new VirtioEntropy(new QueueMemory(ram), RandomBytes.Fill), [], null);
            case "virtio-net":
                return MakeNetwork(guest, place, slot, ram, parts);
            case "virtio-console":
                return MakeConsole(slot, ram, parts);
            default:
                return MakeDisk(slot, ram, parts);
        }
    }

    private static VirtioSlotDevice MakeNetwork(string guest, SlotOption place, DeviceSlot slot, GuestRam ram, VirtioSlotDevice.Parts parts)
    {
        var options = VirtioNetOptions.From(slot.Settings);
        var mac = options.Mac ?? VirtioNetOptions.DefaultMac(place.Slot, place.Function, guest);
        var tap = TapBackend.Open(slot.Settings.Origin(), options, ram, parts.Log);
        return new VirtioSlotDevice(parts, () => new VirtioNetwork(new QueueMemory(ram), tap, mac, options.Mtu), tap.Inputs, tap);
    }

    private static VirtioSlotDevice MakeConsole(DeviceSlot slot, GuestRam ram, VirtioSlotDevice.Parts parts)
    {
        var sockets = new ConsoleSockets(VirtioConsolePort.From(slot.Settings));
        return new VirtioSlotDevice(
            parts, () => new VirtioConsole(new QueueMemory(ram), sockets.Ports, sockets.Tell), sockets.Inputs, sockets);
    }

    private static VirtioSlotDevice MakeDisk(DeviceSlot slot, GuestRam ram, VirtioSlotDevice.Parts parts)
    {
        var options = VirtioBlockOptions.From(slot.Settings);
        var storage = DiskStorage.Open(slot.Settings.Origin(), options, ram);
        var identity = options.Serial ?? $"HATCHWAY-{parts.Name}";
        return new VirtioSlotDevice(
            parts, () => new VirtioBlock(new QueueMemory(ram), storage, identity, options.Threads), [], storage);
    }
}
