using Hatchway.Configuration;

namespace Hatchway.CommandLine;

/// <summary>bhyve(8)'s <c>-l device[,conf]</c>: devices behind the LPC bridge.</summary>
internal static class LpcFlag
{
    public const string Help =
        """
        -l device[,conf]   put a device behind the lpc bridge

        device       conf              what it is
        com1..com4   stdio             serial port, on this terminal (one of them); Ctrl-A x ends the guest, Ctrl-A Ctrl-A sends Ctrl-A
                     /dev/ttyS0        on a terminal or serial port of this host
                     tcp=IP:PORT       on a TCP server, for one client at a time; [::1]:PORT for IPv6. Whoever can connect has the console
                     console           com1: on 'hatchway console NAME' alone, which has com1 beside any of the others, too
                     pty               on a pseudo terminal of its own, whose name is told at the start
        bootrom      CODE[,VARS]       firmware, and the file of its variables. Without it and --kernel: the installed OVMF,
                                       with variables in /var/lib/hatchway/NAME, or ~/.local/state for other users than root
        fwcfg        qemu              how firmware asks for the machine's description
        """;

    public static void Apply(ConfigurationTree tree, string value, string origin)
    {
        var parts = value.Split(',', 2);
        var (device, conf) = (parts[0].ToLowerInvariant(), parts.Length == 2 ? parts[1] : "");
        switch (device)
        {
            case "com1" or "com2" or "com3" or "com4":
                if (conf.Length == 0)
                {
                    throw new UserException(
                        $"{origin}: to what? Write {device},stdio, {device},/dev/ttyS0, {device},tcp=127.0.0.1:4000 or {device},pty");
                }
                tree.Set($"lpc.{device}.path", conf, origin);
                break;
            case "bootrom":
                BootRom(tree, conf, origin);
                break;
            case "fwcfg":
                tree.Set("lpc.fwcfg", conf, origin);
                break;
            case "tpm":
                Tpm(tree, conf, origin);
                break;
            case "pc-testdev":
                tree.Set("lpc.pc-testdev", "true", origin);
                break;
            default:
                throw new UserException($"{origin}: unknown; '-l help' lists what there is");
        }
    }

    private static void BootRom(ConfigurationTree tree, string conf, string origin)
    {
        if (conf.Length == 0)
            throw new UserException($"{origin}: which firmware? Write bootrom,CODE.fd or bootrom,CODE.fd,VARS.fd");
        var rom = new LegacyConf(tree, "lpc", origin, conf);
        rom.Set("bootrom", rom.Parts[0]);
        var rest = rom.Parts.AsSpan(1);
        if (rest is [var variables, ..] && !variables.Contains('=', StringComparison.Ordinal))
        {
            rom.Set("bootvars", variables);
            rest = rest[1..];
        }
        rom.Pairs(rest.ToArray());
    }

    private static void Tpm(ConfigurationTree tree, string conf, string origin)
    {
        var tpm = new LegacyConf(tree, "tpm", origin, conf);
        if (tpm.Parts.Length < 2)
            throw new UserException($"{origin}: write tpm,TYPE,PATH");
        tpm.Set("type", tpm.Parts[0]);
        tpm.Set("path", tpm.Parts[1]);
        tpm.Pairs(tpm.Parts.Skip(2));
    }
}
