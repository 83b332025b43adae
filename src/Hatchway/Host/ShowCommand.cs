using System.Globalization;
using System.Text.Json;
using Hatchway.CommandLine;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Spec;

namespace Hatchway.Host;

/// <summary><c>hatchway host show</c>: everything about one function.</summary>
internal static class ShowCommand
{
    private const string Indent = "               ";
    private const string NotKnown = "the rest is not known without root";

    public const string Details =
        """
        Shows everything about one PCI function, and how each part of its BARs would be given to a guest: direct (mapped, no exits),
        trapped (each access an exit), handled (the guest's own in the device's place).
        """;

    public static readonly Option[] Known = [HostOptions.File, HostOptions.Json];

    public static ExitStatus Execute(Arguments arguments)
    {
        arguments.NoMoreThan(1);
        var address = arguments.Address(0);
        var view = arguments.Value("F") is null ? new HostView() : null;
        var function = Find(view, arguments.Value("F"), address);
        var (vendor, _) = function.Subsystem;
        var ids = PciIds.Load(new HashSet<int> { function.Device.Vendor, vendor });
        if (arguments.Has("json"))
            JsonOutput.Write(json => WriteJson(json, view, function, ids));
        else
            WriteText(Console.Out, view, function, ids);
        return CommandStatus.Success;
    }

    private static InspectedFunction Find(HostView? view, string? file, PciAddress address)
    {
        if (view is not null)
        {
            return view.Find(address) is { } device
                ? InspectedFunction.Of(view, device)
                : throw new UserException(DeviceSubject.At(view, address).NotThere);
        }
        return HostOptions.ReadDump(file!).Functions.FirstOrDefault(function => function.Device.Address == address)
            ?? throw new UserException($"-F {file}: {address} is not in it");
    }

    private static void WriteText(TextWriter output, HostView? view, InspectedFunction function, PciIds ids)
    {
        var device = function.Device;
        output.WriteLine($"{device.Address}   {FunctionWords.Name(ids, device)}");
        Line(output, "id", $"{FunctionWords.Id(device)}, revision {function.Revision:x2}");
        Line(output, "class", $"{FunctionWords.Class(ids, device)} ({device.Class:x6})");
        if (function.Subsystem is var (vendor, id) && vendor != 0)
            Line(output, "subsystem", $"{ids.Vendor(vendor) ?? "unknown"} {vendor:x4}:{id:x4}");
        if (view is not null)
            WriteHostFacts(output, view, device);
        Line(output, "interrupts", Interrupts(function));
        foreach (var bar in function.Bars)
            WriteBar(output, bar, function.Config.HasCapabilities || view is null);
        foreach (var capability in (Capability[])[.. function.Capabilities.Standard, .. function.Capabilities.Extended])
            Line(output, $"capability {capability.Offset:x2}", CapabilityWords.Describe(function.Config, capability));
        foreach (var warning in function.Capabilities.Warnings)
            Line(output, "warning", warning);
    }

    private static void WriteHostFacts(TextWriter output, HostView view, HostDevice device)
    {
        Line(output, "driver", device.Driver ?? "none");
        if (device.IommuGroup is { } group)
        {
            var others = view.InGroup(group).Where(member => member.Address != device.Address).ToList();
            Line(
                output, "IOMMU group",
                others.Count == 0 ? $"{group}, alone" : $"{group}, with {string.Join(", ", others.Select(Member))}");
            foreach (var region in ReservedRegion.Of(view, group))
                Line(output, "reserved", region.ToString());
            Line(output, "held open by", view.Holders(group) is { Count: > 0 } holders ? string.Join(", ", holders) : "nobody");
        }
        else
        {
            Line(output, "IOMMU group", "none");
        }
        Line(output, "NUMA node", NumaNode(view, device)?.ToString(CultureInfo.InvariantCulture) ?? "none");
        Line(output, "power", view.Text(device.Address, "power_state") ?? "not told");
        Line(output, "reset", device.ResetMethods is { Length: > 0 } methods ? methods : "none");
    }

    private static string Member(HostDevice member) => member.Driver is { } driver ? $"{member.Address} ({driver})" : $"{member.Address}";

    private static int? NumaNode(HostView view, HostDevice device) =>
        int.TryParse(view.Text(device.Address, "numa_node"), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var node)
        && node >= 0
            ? node
            : null;

    private static string Interrupts(InspectedFunction function)
    {
        var kinds = new List<string>();
        if (function.InterruptPin > 0)
            kinds.Add($"INT{(char)('A' + function.InterruptPin - 1)}");
        if (function.Capabilities.Find(CapabilityId.Msi) is { } msi)
            kinds.Add($"MSI ({CapabilityWords.MsiCount(function.Config, msi)})");
        if (function.Capabilities.Find(CapabilityId.Msix) is { } msix)
            kinds.Add($"MSI-X ({MsixLayout.Read(function.Config, msix).Count})");
        if (!function.Config.HasCapabilities)
            kinds.Add(NotKnown);
        return kinds.Count == 0 ? "none" : string.Join(", ", kinds);
    }

    // A BAR's handled parts, such as the MSI-X table, are known only from the capabilities.
    private static void WriteBar(TextWriter output, InspectedBar bar, bool areHandlersKnown)
    {
        var size = bar.Size is { } bytes ? Sizes.Format(bytes) : "size not known";
        var place = bar.Address is { } address ? $" at {address:x}" : ", no address";
        Line(output, bar.Index.ToString(), $"{size} of {FunctionWords.Kind(bar.Kind, bar.Prefetchable)}{place}");
        if (!areHandlersKnown && bar.Kind is BarKind.Memory32 or BarKind.Memory64)
        {
            output.WriteLine($"{Indent}{NotKnown}");
            return;
        }
        foreach (var (segment, reason) in bar.Parts)
        {
            var last = segment.End - 1;
            output.WriteLine($"{Indent}{segment.Offset:x}-{last:x} {FunctionWords.Key(segment.Kind)}: {reason}");
        }
    }

    private static void Line(TextWriter output, string name, string value) => output.WriteLine($"{name.PadRight(Indent.Length)}{value}");

    private static void WriteJson(Utf8JsonWriter json, HostView? view, InspectedFunction function, PciIds ids)
    {
        json.WriteStartObject();
        JsonOutput.WriteFunction(json, function, ids);
        json.WriteString("revision", $"{function.Revision:x2}");
        var (vendor, id) = function.Subsystem;
        json.WriteString("subsystem", vendor == 0 ? null : $"{vendor:x4}:{id:x4}");
        json.WriteNumber("interruptPin", function.InterruptPin);
        json.WriteStartArray("capabilities");
        foreach (var capability in (Capability[])[.. function.Capabilities.Standard, .. function.Capabilities.Extended])
        {
            json.WriteStartObject();
            json.WriteNumber("id", capability.Id);
            json.WriteBoolean("extended", capability.IsExtended);
            json.WriteNumber("offset", capability.Offset);
            json.WriteString("words", CapabilityWords.Describe(function.Config, capability));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStrings("warnings", function.Capabilities.Warnings);
        if (view is not null)
            WriteHostFacts(json, view, function.Device);
        json.WriteEndObject();
    }

    private static void WriteHostFacts(Utf8JsonWriter json, HostView view, HostDevice device)
    {
        var group = device.IommuGroup;
        json.WriteStrings(
            "groupMembers",
            group is { } members ? view.InGroup(members).Select(static member => member.Address.ToString()) : []);
        json.WriteStrings(
            "reservedRegions",
            group is { } regions ? ReservedRegion.Of(view, regions).Select(static region => region.ToString()) : []);
        json.WriteStartArray("heldBy");
        foreach (var holder in group is { } held ? view.Holders(held) : [])
            json.WriteNumberValue(holder.Id);
        json.WriteEndArray();
        json.WriteNumberOrNull("numaNode", NumaNode(view, device));
        json.WriteString("powerState", view.Text(device.Address, "power_state"));
    }
}
