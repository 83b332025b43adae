using System.Globalization;
using Hatchway.Pci.Address;

namespace Hatchway.Configuration;

/// <summary>Parsers of the conf of <c>-s</c> for devices with a form of their own, each like bhyve's.</summary>
internal static class DeviceConf
{
    public static void None(LegacyConf conf)
    {
        if (conf.Parts.Length != 0)
            throw new UserException($"{conf.Origin}: this emulation takes no '{string.Join(',', conf.Parts)}'");
    }

    // usr.sbin/bhyve/amd64/pci_hostbridge.c
    public static void AmdHostBridge(LegacyConf conf)
    {
        None(conf);
        conf.Set("pcireg.vendor", "0x1022");
        conf.Set("pcireg.device", "0x7432");
    }

    /// <summary>The backend's name comes first, unless all parts are name=value, as in bhyve 15.</summary>
    public static void Network(LegacyConf conf)
    {
        if (conf.Parts is [var first, ..] && first.Contains('=', StringComparison.Ordinal))
            conf.Pairs();
        else
            conf.FirstThenPairs("backend");
    }

    /// <summary>Each part is a port's <c>name=path</c>, counted from 0, except <c>ring=</c>.</summary>
    public static void Console(LegacyConf conf)
    {
        var port = -1;
        foreach (var part in conf.Parts)
        {
            var (name, path) = LegacyConf.Pair(part);
            if (name == "ring" && path is "split" or "packed")
            {
                conf.Set(name, path);
                continue;
            }
            port++;
            conf.Set($"port.{port}.name", name);
            conf.Set(
                $"port.{port}.path",
                path ?? throw new UserException($"{conf.Origin}: the port '{name}' needs a socket: write {name}=PATH"));
        }
    }

    /// <summary><c>share=path</c>, then pairs.</summary>
    public static void Share(LegacyConf conf)
    {
        if (conf.Parts.Length == 0)
            return;
        var (name, path) = LegacyConf.Pair(conf.Parts[0]);
        conf.Set("sharename", name);
        conf.Set("path", path ?? throw new UserException($"{conf.Origin}: the share '{name}' needs a directory: write {name}=PATH"));
        conf.Pairs(conf.Parts.Skip(1));
    }

    public static void AhciDisk(LegacyConf conf) => AhciPort(conf, "hd");

    public static void AhciCd(LegacyConf conf) => AhciPort(conf, "cd");

    /// <summary>A port begins with <c>hd:path</c> or <c>cd:path</c>; the parts after it are its options.</summary>
    public static void Ahci(LegacyConf conf)
    {
        var port = -1;
        foreach (var part in conf.Parts)
        {
            if (part.StartsWith("hd:", StringComparison.Ordinal) || part.StartsWith("cd:", StringComparison.Ordinal))
            {
                port++;
                conf.Set($"port.{port}.type", part[..2]);
                conf.Set($"port.{port}.path", part[3..]);
                continue;
            }
            var (name, value) = LegacyConf.Pair(part);
            conf.Set(port < 0 ? name : $"port.{port}.{name}", value ?? "true");
        }
    }

    /// <summary>USB devices, counted from 1.</summary>
    public static void Usb(LegacyConf conf)
    {
        for (var slot = 1; slot <= conf.Parts.Length; slot++)
            conf.Set($"slot.{slot}.device", conf.Parts[slot - 1]);
    }

    public static void Nvme(LegacyConf conf)
    {
        if (conf.Parts is [var first, ..] && first.StartsWith("ram=", StringComparison.Ordinal))
            conf.Pairs();
        else
            conf.FirstThenPairs("path");
    }

    /// <summary>The host's function in bhyve's or Linux's notation, then pairs. Handlers and mirrors may be repeated.</summary>
    public static void Passthru(LegacyConf conf)
    {
        if (conf.Parts.Length == 0)
            throw new UserException($"{conf.Origin}: which device? Write passthru,0/6/0 or passthru,0000:00:06.0");
        SetFunction(conf, conf.Parts[0]);
        foreach (var part in conf.Parts.AsSpan(1))
        {
            var (name, value) = LegacyConf.Pair(part);
            if (name is "handler" or "mirror")
                conf.Append(name, value ?? "true");
            else
                conf.Set(name, value ?? "true");
        }
    }

    private static void AhciPort(LegacyConf conf, string type)
    {
        conf.Set("port.0.type", type);
        if (conf.Parts.Length == 0)
            return;
        conf.Set("port.0.path", conf.Parts[0]);
        foreach (var part in conf.Parts.AsSpan(1))
        {
            var (name, value) = LegacyConf.Pair(part);
            conf.Set($"port.0.{name}", value ?? "true");
        }
    }

    private static void SetFunction(LegacyConf conf, string text)
    {
        if (text.StartsWith("ppt", StringComparison.Ordinal))
        {
            conf.Set("pptdev", text);
            return;
        }
        if (!PciAddress.TryParse(text, null, out var host))
        {
            throw new UserException(
                $"{conf.Origin}: '{text}' is no PCI address: write bus/slot/function in decimal, as 0/6/0, or 0000:00:06.0");
        }
        if (host.Domain != 0)
            conf.Set("domain", host.Domain.ToString(CultureInfo.InvariantCulture));
        conf.Set("bus", host.Bus.ToString(CultureInfo.InvariantCulture));
        conf.Set("slot", host.Device.ToString(CultureInfo.InvariantCulture));
        conf.Set("func", host.Function.ToString(CultureInfo.InvariantCulture));
    }
}
