using System.Globalization;
using System.Text;
using Hatchway.Configuration;

namespace Hatchway.CommandLine;

/// <summary>bhyve(8)'s <c>-s [bus:]slot[:function],emulation[,conf]</c>.</summary>
internal static class SlotFlag
{
    private const string PassthruHelp =
        """
                          or dddd:bb:ss.f          the same in Linux's notation
          rom=off|FILE                             no option ROM, or this file instead of the device's
          mirror=BAR:OFFSET:LENGTH                 config space that the device also shows in this BAR
          handler=FILE                             traps registers as the assembly FILE says; see docs/handlers.md
          subpage=auto|trap                        BARs smaller than a page: mapped where that is safe, or always trapped
          peers=on|off                             whether devices reach its BARs by DMA; off is quicker with large ones

        """;

    public static string Help
    {
        get
        {
            var text = new StringBuilder("-s [bus:]slot[:function],emulation[,conf]   put a device on the guest's PCI bus\n\n");
            text.Append($"{"emulation",-16}  {"conf",-24} what it is\n");
            foreach (var emulation in Emulation.All.Where(static emulation => emulation.Instead is null))
            {
                text.Append($"{emulation.Name,-16}  {emulation.Conf,-24} {emulation.Help}\n");
                if (emulation.Name == "passthru")
                    text.Append(PassthruHelp);
            }
            text.Append("\nbhyve's that are not there:\n");
            foreach (var emulation in Emulation.All.Where(static emulation => emulation.Instead is not null))
                text.Append($"{emulation.Name,-16}  {emulation.Instead}\n");
            return text.ToString().TrimEnd('\n');
        }
    }

    public static void Apply(ConfigurationTree tree, string value, string origin)
    {
        var parts = value.Split(',', 3);
        var (bus, slot, function) = ParsePlace(origin, parts[0]);
        if (parts.Length < 2 || parts[1].Length == 0)
            throw new UserException($"{origin}: no emulation; write -s SLOT,EMULATION[,CONF], and '-s help' lists them");
        var emulation = Emulation.Find(parts[1])
            ?? throw new UserException($"{origin}: unknown emulation '{parts[1]}': '-s help' lists them");
        var node = $"pci.{bus}.{slot}.{function}";
        if (tree.Has(node))
            throw new UserException($"{origin}: slot {slot}:{function} is given twice: put one of the devices at another slot");
        tree.Set($"{node}.device", emulation.Model, origin);
        emulation.Parse(new LegacyConf(tree, node, origin, parts.Length == 3 ? parts[2] : ""));
    }

    private static (int Bus, int Slot, int Function) ParsePlace(string origin, string place)
    {
        var numbers = place.Split(':');
        var values = new int[numbers.Length];
        for (var i = 0; i < numbers.Length; i++)
        {
            if (!int.TryParse(numbers[i], NumberStyles.None, CultureInfo.InvariantCulture, out values[i]))
                throw NoSlot(origin, place);
        }
        return values switch
        {
            [var slot] => (0, slot, 0),
            [var slot, var function] => (0, slot, function),
            [var bus, var slot, var function] => (bus, slot, function),
            _ => throw NoSlot(origin, place),
        };
    }

    private static UserException NoSlot(string origin, string place) =>
        new($"{origin}: '{place}' is no slot: write slot, slot:function or bus:slot:function, in decimal");
}
