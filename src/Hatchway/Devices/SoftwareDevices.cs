using Hatchway.CommandLine;
using Hatchway.Linux.Kvm;
using Hatchway.Machine;
using Hatchway.Machine.Virtio;
using Hatchway.Machine.Virtio.Devices;
using Hatchway.Passthrough.Kvm;
using Hatchway.Pci.Bars;
using Hatchway.Vm;
using Microsoft.Extensions.Logging;

namespace Hatchway.Devices;

/// <summary>The devices in software that the user asked for.</summary>
internal sealed class SoftwareDevices : IDisposable
{
    private readonly List<VirtioSlotDevice> _devices = [];

    /// <summary>Makes them and puts them on the guest's bus.</summary>
    /// <param name="options">What the user asked for.</param>
    /// <param name="pc">The machine.</param>
    /// <param name="vm">Its VM.</param>
    /// <param name="routes">Its interrupt routes.</param>
    /// <param name="ram">Its RAM.</param>
    /// <param name="end">How a mistake of ours ends the guest.</param>
    /// <param name="log">Where limitations are told.</param>
    /// <exception cref="UserException">A device can't be made.</exception>
    public SoftwareDevices(RunOptions options, Pc pc, KvmVm vm, InterruptRoutes routes, GuestRam ram, GuestEnd end, ILogger log)
    {
        // bhyve's -W asks for MSI without X, which virtio does not have (VIRTIO 1.2 §4.1.4.5): the pin is left.
        var msix = options.Settings.Root.Flag("virtio_msix", true);
        try
        {
            foreach (var slot in options.Slots)
            {
                if (slot.Emulation is not DeviceSlot device)
                    continue;
                // INTA, as the function's interrupt pin register says.
                var gsi = IntxRouting.Gsi(slot.Slot, 1);
                var shared = options.Slots.Any(other => other.Slot == slot.Slot && other.Function != slot.Function);
                var made = Make(device, ram, new VirtioSlotDevice.Parts(
                    $"{slot.Slot}:{slot.Function}", vm, routes, ram, pc.PciMap, pc.Connect(gsi), (byte)gsi, shared,
                    new VirtioFunctionOptions(VirtioOptions.Packed(device.Settings), msix), end.Fail, log));
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

    /// <summary>What the guest sees of them.</summary>
    public IEnumerable<NamedFunction> Guests => _devices.Select(static device => new NamedFunction($"slot {device.Name}", device.Guest));

    /// <summary>Takes them from the guest; requests in flight end first.</summary>
    public void Dispose()
    {
        foreach (var device in _devices)
            device.Dispose();
    }

    private static VirtioSlotDevice Make(DeviceSlot slot, GuestRam ram, VirtioSlotDevice.Parts parts)
    {
        var memory = new QueueMemory(ram);
        if (slot.Model == "virtio-rnd")
            return new VirtioSlotDevice(parts, new VirtioEntropy(memory, new KernelEntropy()), null);
        var options = VirtioBlockOptions.From(slot.Settings);
        var storage = DiskStorage.Open(slot.Settings.Origin(), options, ram);
        try
        {
            var identity = options.Serial ?? $"HATCHWAY-{parts.Name}";
            return new VirtioSlotDevice(parts, new VirtioBlock(memory, storage, identity, options.Threads), storage);
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }
}
