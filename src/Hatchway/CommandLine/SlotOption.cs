using System.Globalization;
using Hatchway.Pci.Address;

namespace Hatchway.CommandLine;

/// <summary>What a slot of the guest's bus holds.</summary>
internal abstract record SlotEmulation;

/// <summary>A host bridge, as bhyve's <c>hostbridge</c>.</summary>
internal sealed record HostBridgeSlot : SlotEmulation;

/// <summary>The bridge to the ISA devices, as bhyve's <c>lpc</c>.</summary>
internal sealed record LpcSlot : SlotEmulation;

/// <summary>A PCI function of the host.</summary>
internal sealed record PassthruSlot(PciAddress Host, PassthruOptions Options) : SlotEmulation;

/// <summary>One <c>-s</c>: bhyve(8)'s <c>[bus:]slot[:function],emulation[,conf]</c>.</summary>
internal sealed record SlotOption(int Slot, int Function, SlotEmulation Emulation)
{
    public const string Help =
        """
        -s [bus:]slot[:function],emulation[,conf]   put a device on the guest's PCI bus

        emulation       conf                what it is
        hostbridge      -                   PCI host bridge; slot 0 by custom
        lpc             -                   bridge to the ISA devices (com1, RTC); wants a slot of its own
        passthru        bus/slot/function   PCI function of this host, bound to vfio-pci;
                        or dddd:bb:ss.f     both notations name the same one
          rom=off|FILE                      no option ROM, or this file instead of the device's
          mirror=BAR:OFFSET:LENGTH          config space that the device also shows in this BAR
          handler=FILE                      traps registers as the assembly FILE says; see docs/handlers.md
          subpage=auto|trap                 BARs smaller than a page: mapped where that is safe, or always trapped
        """;

    public static SlotOption Parse(string text)
    {
        var parts = text.Split(',', 3);
        var (slot, function) = ParsePlace(text, parts[0]);
        if (parts.Length < 2 || parts[1].Length == 0)
            throw new UserException($"-s {text}: no emulation; write -s SLOT,EMULATION[,CONF], and '-s help' lists them");
        var conf = parts.Length == 3 ? parts[2] : "";
        SlotEmulation emulation = parts[1] switch
        {
            "hostbridge" => NoConf(text, conf, new HostBridgeSlot()),
            "lpc" => NoConf(text, conf, new LpcSlot()),
            "passthru" => ParsePassthru(text, conf),
            _ => throw new UserException($"-s {text}: unknown emulation '{parts[1]}': '-s help' lists them"),
        };
        return new SlotOption(slot, function, emulation);
    }

    private static (int Slot, int Function) ParsePlace(string text, string place)
    {
        var numbers = place.Split(':');
        var values = new int[numbers.Length];
        for (var i = 0; i < numbers.Length; i++)
        {
            if (!int.TryParse(numbers[i], NumberStyles.None, CultureInfo.InvariantCulture, out values[i]))
                throw new UserException($"-s {text}: '{place}' is no slot: write slot, slot:function or bus:slot:function, in decimal");
        }
        var (bus, slot, function) = values switch
        {
            [var s] => (0, s, 0),
            [var s, var f] => (0, s, f),
            [var b, var s, var f] => (b, s, f),
            _ => throw new UserException($"-s {text}: '{place}' is no slot: write slot, slot:function or bus:slot:function, in decimal"),
        };
        if (bus != 0)
            throw new UserException($"-s {text}: bus {bus}: the guest has bus 0 only");
        if (slot > 31)
            throw new UserException($"-s {text}: slot {slot}: a bus has slots 0 to 31");
        if (function > 7)
            throw new UserException($"-s {text}: function {function}: a slot has functions 0 to 7");
        return (slot, function);
    }

    private static SlotEmulation NoConf(string text, string conf, SlotEmulation emulation) =>
        conf.Length == 0 ? emulation : throw new UserException($"-s {text}: this emulation takes no '{conf}'");

    private static PassthruSlot ParsePassthru(string text, string conf)
    {
        var parts = conf.Split(',');
        if (conf.Length == 0)
            throw new UserException($"-s {text}: which device? Write passthru,0/6/0 or passthru,0000:00:06.0");
        if (!PciAddress.TryParse(parts[0], CultureInfo.InvariantCulture, out var host))
            throw new UserException($"-s {text}: '{parts[0]}' is no PCI address: write bus/slot/function in decimal, as 0/6/0, or 0000:00:06.0");
        return new PassthruSlot(host, PassthruOptions.Parse(text, parts.AsSpan(1)));
    }
}
