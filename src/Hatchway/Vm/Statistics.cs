using System.Text.Json;
using Hatchway.Linux.Kvm;

namespace Hatchway.Vm;

/// <summary>What is counted of a guest, as JSON: KVM's own counters, by KVM's names, and the devices that it had.</summary>
internal static class Statistics
{
    public static void Write(Stream stream, VirtualMachine machine, EndReason end, TimeSpan ran)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("end", end.ToString());
        json.WriteNumber("seconds", Math.Round(ran.TotalSeconds, 3));
        json.WritePropertyName("vm");
        using (var statistics = machine.Vm.OpenStatistics())
            WriteCounters(json, statistics);
        json.WriteStartArray("vcpus");
        foreach (var vcpu in machine.Vcpus)
        {
            using var statistics = vcpu.OpenStatistics();
            WriteCounters(json, statistics);
        }
        json.WriteEndArray();
        json.WriteStartArray("devices");
        foreach (var device in machine.Devices)
            WriteDevice(json, device);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteCounters(Utf8JsonWriter json, KvmStatistics statistics)
    {
        json.WriteStartObject();
        foreach (var (name, value) in statistics.Read())
            json.WriteNumber(name, value);
        json.WriteEndObject();
    }

    private static void WriteDevice(Utf8JsonWriter json, PassthruDevice device)
    {
        json.WriteStartObject();
        json.WriteString("host", device.Host.Address.ToString());
        json.WriteString("guest", $"0:{device.Slot.Slot}:{device.Slot.Function}");
        json.WriteString("interrupts", device.Guest.InterruptKind);
        json.WriteStartArray("bars");
        foreach (var window in device.Guest.Windows)
        {
            json.WriteStartObject();
            json.WriteString("name", window.Bar.Index.ToString());
            json.WriteNumber("bytes", window.Bar.Size);
            json.WriteNumber("failures", window.Failures);
            json.WriteStartArray("segments");
            foreach (var segment in window.Segments)
                json.WriteStringValue($"{segment.Offset:x}+{segment.Length:x} {segment.Kind}");
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
