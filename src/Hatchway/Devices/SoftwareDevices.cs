using Hatchway.CommandLine;
using Hatchway.Linux.Kvm;
using Hatchway.Machine;
using Hatchway.Machine.Virtio;
using Hatchway.Machine.Virtio.Devices;
using Hatchway.Passthrough.Kvm;
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
        var lines = new SharedLines(gsi => new KvmInterruptLine(vm, gsi));
        try
        {
            foreach (var slot in options.Slots)
            {
                if (slot.Emulation is not (VirtioBlockSlot or VirtioEntropySlot))
                    continue;
                // INTA, as the function's interrupt pin register says.
                var gsi = IntxRouting.Gsi(slot.Slot, 1);
                var shared = options.Slots.Any(other => other.Slot == slot.Slot && other.Function != slot.Function);
                var device = Make(slot, ram, new VirtioSlotDevice.Parts(
                    $"{slot.Slot}:{slot.Function}", vm, routes, ram, pc.PciMap, lines.Connect(gsi), (byte)gsi, shared, end.Fail, log));
                _devices.Add(device);
                pc.Bus.Add(slot.Slot, slot.Function, device.Guest);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What the guest sees of them.</summary>
    public IEnumerable<Pci.Topology.AssignedFunction> Guests => _devices.Select(static device => device.Guest);

    /// <summary>Takes them from the guest; requests in flight end first.</summary>
    public void Dispose()
    {
        foreach (var device in _devices)
            device.Dispose();
    }

    private static VirtioSlotDevice Make(SlotOption slot, GuestRam ram, VirtioSlotDevice.Parts parts)
    {
        var memory = new QueueMemory(ram);
        if (slot.Emulation is not VirtioBlockSlot { Options: var block })
            return new VirtioSlotDevice(parts, new VirtioEntropy(memory, new KernelEntropy()), null, ((VirtioEntropySlot)slot.Emulation).Packed);
        var storage = DiskStorage.Open($"{parts.Name},virtio-blk", block, ram);
        try
        {
            var identity = block.Serial ?? $"HATCHWAY-{slot.Slot}-{slot.Function}";
            return new VirtioSlotDevice(parts, new VirtioBlock(memory, storage, identity, block.Threads), storage, block.Packed);
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }
}
