using System.Globalization;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Bars;

namespace Hatchway.Host;

/// <summary>A function's properties in words.</summary>
internal static class FunctionWords
{
    public static string Id(HostDevice device) => $"{device.Vendor:x4}:{device.Device:x4}";

    /// <summary>Vendor and device by name, or by number without one.</summary>
    public static string Name(PciIds ids, HostDevice device) => (ids.Vendor(device.Vendor), ids.Device(device.Vendor, device.Device)) switch
    {
        (null, _) => $"Device {Id(device)}",
        (var vendor, null) => $"{vendor} Device {device.Device:x4}",
        var (vendor, name) => $"{vendor} {name}",
    };

    public static string Class(PciIds ids, HostDevice device) => ids.Class(device.Class) ?? $"class {device.Class >> 8:x4}";

    /// <summary>All BARs, one word each, as <c>0:16K</c>.</summary>
    public static string Bars(InspectedFunction function) =>
        string.Join(' ', function.Bars.Select(static bar =>
            $"{Short(bar.Index.Value)}:{(bar.Kind == BarKind.Io ? "io" : "")}{Size(bar.Size)}"));

    public static string Kind(BarKind kind, bool prefetchable) => kind switch
    {
        BarKind.Io => "I/O ports",
        BarKind.Rom => "ROM",
        BarKind.Memory64 => prefetchable ? "64-bit memory, prefetchable" : "64-bit memory",
        _ => prefetchable ? "32-bit memory, prefetchable" : "32-bit memory",
    };

    /// <summary>A BAR kind's name in JSON.</summary>
    public static string Key(BarKind kind) => kind switch
    {
        BarKind.Io => "io",
        BarKind.Rom => "rom",
        BarKind.Memory64 => "memory64",
        _ => "memory32",
    };

    public static string Key(SegmentKind kind) => kind switch
    {
        SegmentKind.Direct => "direct",
        SegmentKind.Handled => "handled",
        _ => "trapped",
    };

    private static string Short(byte index) => index == 6 ? "rom" : index.ToString(CultureInfo.InvariantCulture);

    private static string Size(ulong? bytes) => bytes is { } size
        ? Sizes.Format(size)
            .Replace(" bytes", "", StringComparison.Ordinal)
            .Replace(" ", "", StringComparison.Ordinal)
            .Replace("iB", "", StringComparison.Ordinal)
        : "?";
}
