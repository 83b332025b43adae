using System.Globalization;
using Hatchway.Configuration;
using Hatchway.Handlers;
using Hatchway.Pci.Address;

namespace Hatchway.CommandLine;

/// <summary>A part of a BAR in which the device exposes its own config space.</summary>
internal readonly record struct MirrorOption(BarIndex Bar, ulong Offset, ulong Length);

/// <summary>The options after the host's function in <c>-s ...,passthru,0/6/0[,option=value]...</c>.</summary>
/// <param name="Rom">Null for the device's own ROM, "off" for none, else a file.</param>
/// <param name="TrapSubPage">True to trap BARs smaller than a page even where they could be mapped.</param>
/// <param name="ReachedByPeers">True when the guest's other devices can reach its BARs by DMA.</param>
/// <param name="Handlers">Assemblies with register handlers.</param>
/// <param name="Mirrors">Places in BARs that expose config space, beside those known for the device.</param>
internal sealed record PassthruOptions(
    string? Rom, bool TrapSubPage, bool ReachedByPeers, IReadOnlyList<HandlerAssembly> Handlers, IReadOnlyList<MirrorOption> Mirrors)
{
    public const string NoRom = "off";

    public static PassthruOptions None { get; } = new(null, false, true, [], []);

    /// <summary>Reads the host's function from a node.</summary>
    /// <exception cref="UserException">The node names none, or one in FreeBSD's notation.</exception>
    public static PciAddress Host(ConfigurationNode node)
    {
        if (node.Text("pptdev") is { } ppt)
        {
            throw new UserException(
                $"{node.Origin("pptdev")}: {ppt} is a name of FreeBSD's: "
                + "write the function's address, as passthru,0/6/0 or passthru,0000:00:06.0");
        }
        if (node.Number("bus", 0, 255) is { } bus && node.Number("slot", 0, 31) is { } slot && node.Number("func", 0, 7) is { } function)
            return new PciAddress((uint)(node.Number("domain", 0, int.MaxValue) ?? 0), (byte)bus, (byte)slot, (byte)function);
        throw new UserException($"{node.Origin()}: which device? Write passthru,0/6/0 or passthru,0000:00:06.0, or set bus, slot and func");
    }

    /// <summary>Reads a node's other options.</summary>
    /// <exception cref="UserException">A value is wrong.</exception>
    public static PassthruOptions From(ConfigurationNode node)
    {
        var rom = node.Text("rom");
        return new PassthruOptions(
            rom is null or NoRom ? rom : ExistingFile(node.Origin("rom"), "rom", rom),
            node.Text("subpage") switch
            {
                null or "auto" => false,
                "trap" => true,
                var other => throw new UserException($"{node.Origin("subpage")}: 'subpage={other}': write subpage=auto or subpage=trap"),
            },
            node.Text("peers") switch
            {
                null or "on" => true,
                "off" => false,
                var other => throw new UserException($"{node.Origin("peers")}: 'peers={other}': write peers=on or peers=off"),
            },
            [.. List(node.Node("handler")).Select(static entry =>
                new HandlerAssembly(ExistingFile(entry.Origin, "handler", entry.Value)))],
            [.. List(node.Node("mirror")).Select(static entry => ParseMirror(entry.Origin, entry.Value))]);
    }

    // Sorted by number: 2 before 10.
    private static IEnumerable<(string Origin, string Value)> List(ConfigurationNode list) => list.All
        .Select(list.Relative)
        .OrderBy(static name => name.Length)
        .Select(name => (list.Origin(name), list.Text(name)!));

    private static string ExistingFile(string origin, string name, string path) =>
        File.Exists(path) ? path : throw new UserException($"{origin}: '{name}={path}': no such file");

    private static MirrorOption ParseMirror(string origin, string value)
    {
        var parts = value.Split(':');
        if (parts.Length == 3
            && byte.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var bar) && bar < BarIndex.BarCount
            && TryNumber(parts[1], out var offset)
            && TryNumber(parts[2], out var length) && length is > 0 and <= Pci.Spec.Header.ExpressSize)
            return new MirrorOption(new BarIndex(bar), offset, length);
        throw new UserException(
            $"{origin}: 'mirror={value}': write mirror=BAR:OFFSET:LENGTH, a BAR from 0 to 5 and at most 4096 bytes, "
            + "as mirror=0:0x88000:0x1000");
    }

    private static bool TryNumber(string text, out ulong number) => text.StartsWith("0x", StringComparison.Ordinal)
        ? ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
        : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
