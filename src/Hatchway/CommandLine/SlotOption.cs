using System.Globalization;
using Hatchway.Configuration;
using Hatchway.Machine.Devices;
using Hatchway.Pci.Address;

namespace Hatchway.CommandLine;

/// <summary>The function in a slot of the guest's bus.</summary>
internal abstract record SlotEmulation;

/// <summary>A host bridge, like bhyve's <c>hostbridge</c>.</summary>
internal sealed record HostBridgeSlot(ushort Vendor = Bridges.NetApp, ushort Device = Bridges.NetApp) : SlotEmulation;

/// <summary>The bridge to the ISA devices, like bhyve's <c>lpc</c>.</summary>
internal sealed record LpcSlot : SlotEmulation;

/// <summary>A PCI function of the host.</summary>
internal sealed record PassthruSlot(PciAddress Host, PassthruOptions Options) : SlotEmulation;

/// <summary>A device in software, which reads its settings from its node.</summary>
/// <param name="Model">The emulation's name, as virtio-blk.</param>
/// <param name="Settings">The node pci.BUS.SLOT.FUNCTION.</param>
internal sealed record DeviceSlot(string Model, ConfigurationNode Settings) : SlotEmulation;

/// <summary>One function on the guest's bus: a node <c>pci.BUS.SLOT.FUNCTION</c>.</summary>
internal sealed record SlotOption(int Slot, int Function, SlotEmulation Emulation)
{
    /// <summary>Reads all slots, in order. It checks that files exist, but opens none.</summary>
    /// <exception cref="UserException">A device is not available, or its settings are wrong.</exception>
    public static IReadOnlyList<SlotOption> From(ConfigurationTree tree)
    {
        var slots = new List<SlotOption>();
        foreach (var bus in tree.Node("pci").Children)
        {
            foreach (var slot in bus.Children)
            {
                foreach (var function in slot.Children)
                    slots.Add(new SlotOption(Place(bus, slot, function, out var number), number, Device(function)));
            }
        }
        Check(slots);
        return slots;
    }

    private static int Place(ConfigurationNode bus, ConfigurationNode slot, ConfigurationNode function, out int functionNumber)
    {
        var origin = function.Origin();
        if (bus.Name != "0")
            throw new UserException($"{origin}: bus {bus.Name}: the guest has bus 0 only");
        if (!TryNumber(slot.Name, 31, out var number))
            throw new UserException($"{origin}: slot {slot.Name}: a bus has slots 0 to 31, without a zero before");
        return TryNumber(function.Name, 7, out functionNumber)
            ? number
            : throw new UserException($"{origin}: function {function.Name}: a slot has functions 0 to 7, without a zero before");
    }

    private static bool TryNumber(string text, int most, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
        && number <= most
        && (text[0] != '0' || text.Length == 1);

    private static SlotEmulation Device(ConfigurationNode node)
    {
        var origin = node.Origin();
        var model = node.Text("device") ?? throw new UserException($"{origin}: a device needs its model: set the variable device");
        var found = Configuration.Emulation.Find(model);
        var emulation = found is not null && found.Model == found.Name
            ? found
            : throw new UserException(found is null
                ? $"{node.Origin("device")}: unknown emulation '{model}': '-s help' lists them"
                : $"{node.Origin("device")}: '{model}' is a short form of -s: write {found.Model}, and its variables");
        if (emulation.Instead is { } instead)
            throw new UserException($"{node.Origin("device")}: there is no {model}: {instead}");
        if (model == "virtio-net")
            _ = VirtioNetOptions.Backend(node);
        foreach (var setting in node.All)
        {
            var name = node.Relative(setting);
            if (name != "device" && !emulation.Variables.Any(pattern => KnownVariables.Matches(pattern, name)))
            {
                var known = emulation.Variables.Count == 0 ? "none" : string.Join(", ", emulation.Variables);
                throw new UserException($"{setting.Origin}: unknown option '{name}' of {model}; it has {known}");
            }
        }
        return model switch
        {
            "hostbridge" => new HostBridgeSlot(Identity(node, "vendor", "vendor"), Identity(node, "devid", "device")),
            "lpc" => new LpcSlot(),
            "passthru" => new PassthruSlot(PassthruOptions.Host(node), PassthruOptions.From(node)),
            _ => new DeviceSlot(model, node),
        };
    }

    // As in bhyve: the older variable wins, and the newer one is always hexadecimal (pci_hostbridge.c; pci_emul.c,
    // pci_config_read_reg).
    private static ushort Identity(ConfigurationNode node, string name, string register) =>
        (ushort)(node.Number(name, 0, ushort.MaxValue) ?? node.Hexadecimal($"pcireg.{register}", ushort.MaxValue) ?? Bridges.NetApp);

    private static void Check(List<SlotOption> slots)
    {
        var hosts = new HashSet<PciAddress>();
        foreach (var slot in slots)
        {
            if (slot.Emulation is PassthruSlot passthru && !hosts.Add(passthru.Host))
                throw new UserException($"{passthru.Host} is given twice: a device can be at one slot only");
            if (slot.Function != 0 && !slots.Exists(other => other.Slot == slot.Slot && other.Function == 0))
            {
                throw new UserException(
                    $"slot {slot.Slot} has function {slot.Function} but no function 0, so a guest would not see it: give it {slot.Slot}:0");
            }
        }
        if (slots.Count(static slot => slot.Emulation is LpcSlot) > 1)
            throw new UserException("lpc is given twice: a guest has one");
    }
}
