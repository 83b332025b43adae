using System.Text.Json;
using Hatchway.Devices;
using Hatchway.Linux.Kvm;
using Hatchway.Passthrough.Host;

namespace Hatchway.Vm;

/// <summary>A guest's counters as JSON: KVM's own, by KVM's names, unclaimed accesses, and the devices', the host's
/// devices first.</summary>
internal static class Statistics
{
    /// <summary>Writes the counters as one object. Any thread, while the machine is not disposed.</summary>
    /// <param name="json">The writer.</param>
    /// <param name="name">The guest's name.</param>
    /// <param name="machine">The guest's machine.</param>
    /// <param name="end">Why it ended; <see cref="EndReason.None"/> while it runs.</param>
    /// <param name="ran">How long the guest has run.</param>
    public static void Write(Utf8JsonWriter json, string name, VirtualMachine machine, EndReason end, TimeSpan ran)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        if (end != EndReason.None)
            json.WriteString("end", end.ToString());
        json.WriteNumber("seconds", Math.Round(ran.TotalSeconds, 3));
        WriteProcess(json);
        json.WritePropertyName("vm");
        using (var statistics = machine.Vm.OpenStatistics())
            WriteCounters(json, statistics);
        json.WriteStartArray("vcpus");
        foreach (var statistics in machine.VcpuStatistics)
            WriteCounters(json, statistics);
        json.WriteEndArray();
        WriteUnclaimed(json, machine);
        json.WriteStartArray("devices");
        foreach (var device in machine.Devices)
            WriteDevice(json, device);
        foreach (var device in machine.Software)
            WriteDevice(json, device);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    // Allocations lead to garbage collections, which stop every vCPU. In steady state only these requests allocate.
    private static void WriteProcess(Utf8JsonWriter json)
    {
        json.WriteStartObject("process");
        json.WriteNumber("allocated", GC.GetTotalAllocatedBytes());
        json.WriteNumber("collections", GC.CollectionCount(0));
        json.WriteEndObject();
    }

    // Shows a driver that accesses a device that is not there.
    private static void WriteUnclaimed(Utf8JsonWriter json, VirtualMachine machine)
    {
        var (memory, ports) = machine.Unclaimed;
        json.WriteStartObject("unclaimed");
        json.WriteNumber("memory", memory);
        json.WriteNumber("ports", ports);
        json.WriteEndObject();
    }

    private static void WriteCounters(Utf8JsonWriter json, KvmStatistics statistics)
    {
        json.WriteStartObject();
        foreach (var (name, value) in statistics.Read())
            json.WriteNumber(name, value);
        json.WriteEndObject();
    }

    private static void WriteDevice(Utf8JsonWriter json, VirtioSlotDevice device)
    {
        json.WriteStartObject();
        json.WriteString("guest", $"0:{device.Name}");
        json.WriteString("model", device.Model);
        json.WriteString("interruptKind", device.Guest.InterruptKind);
        foreach (var (name, value) in device.Counters)
            json.WriteNumber(name, value);
        json.WriteStartArray("queues");
        foreach (var (buffers, interrupts) in device.Queues)
        {
            json.WriteStartObject();
            json.WriteNumber("buffers", buffers);
            json.WriteNumber("interrupts", interrupts);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteDevice(Utf8JsonWriter json, PassthruDevice device)
    {
        json.WriteStartObject();
        json.WriteString("host", device.Host.Address.ToString());
        json.WriteString("guest", $"0:{device.Slot.Slot}:{device.Slot.Function}");
        json.WriteString("interruptKind", device.Guest.InterruptKind);
        json.WriteNumber("interrupts", HostInterrupts.Count(device.Host.Address));
        json.WriteStartArray("bars");
        foreach (var window in device.Guest.Windows)
        {
            json.WriteStartObject();
            json.WriteString("name", window.Bar.Index.ToString());
            json.WriteNumber("bytes", window.Bar.Size);
            json.WriteNumber("reads", window.Reads);
            json.WriteNumber("writes", window.Writes);
            json.WriteNumber("failures", window.Failures);
            json.WriteStrings(
                "segments", window.Segments.Select(static segment => $"{segment.Offset:x}+{segment.Length:x} {segment.Kind}"));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
