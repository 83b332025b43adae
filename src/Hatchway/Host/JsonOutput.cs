using System.Text.Encodings.Web;
using System.Text.Json;
using Hatchway.Passthrough.Host;

namespace Hatchway.Host;

/// <summary>Output for programs. Numbers that are usually written in hexadecimal are strings without 0x, as in sysfs;
/// sizes are numbers.</summary>
internal static class JsonOutput
{
    public static void Write(Action<Utf8JsonWriter> content)
    {
        using var output = Console.OpenStandardOutput();
        var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
            content(json);
        output.Write("\n"u8);
    }

    /// <summary>Writes the properties that list and show share; the caller begins and ends the object.</summary>
    public static void WriteFunction(Utf8JsonWriter json, InspectedFunction function, PciIds ids)
    {
        var device = function.Device;
        json.WriteString("address", device.Address.ToString());
        json.WriteString("vendor", $"{device.Vendor:x4}");
        json.WriteString("device", $"{device.Device:x4}");
        json.WriteString("vendorName", ids.Vendor(device.Vendor));
        json.WriteString("deviceName", ids.Device(device.Vendor, device.Device));
        json.WriteString("class", $"{device.Class:x6}");
        json.WriteString("className", ids.Class(device.Class));
        json.WriteBoolean("bridge", device.IsBridge);
        json.WriteString("driver", device.Driver);
        json.WriteNumberOrNull("iommuGroup", device.IommuGroup);
        json.WriteStrings("resetMethods", (device.ResetMethods ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries));
        json.WriteStartArray("bars");
        foreach (var bar in function.Bars)
            WriteBar(json, bar);
        json.WriteEndArray();
    }

    public static void WriteChecks(Utf8JsonWriter json, CheckReport report)
    {
        json.WriteStartArray();
        foreach (var (check, finding) in report.Results)
        {
            json.WriteStartObject();
            json.WriteString("check", check);
            json.WriteString("level", CheckCommand.Key(finding.Level));
            json.WriteString("finding", finding.Text);
            json.WriteString("remedy", finding.Remedy);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteBar(Utf8JsonWriter json, InspectedBar bar)
    {
        json.WriteStartObject();
        json.WriteString("bar", bar.Index.ToString());
        json.WriteString("kind", FunctionWords.Key(bar.Kind));
        json.WriteBoolean("prefetchable", bar.Prefetchable);
        json.WriteString("address", bar.Address is { } address ? $"{address:x}" : null);
        json.WriteNumberOrNull("size", bar.Size);
        json.WriteStartArray("parts");
        foreach (var (segment, reason) in bar.Parts)
        {
            json.WriteStartObject();
            json.WriteNumber("offset", segment.Offset);
            json.WriteNumber("length", segment.Length);
            json.WriteString("kind", FunctionWords.Key(segment.Kind));
            json.WriteString("reason", reason);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
