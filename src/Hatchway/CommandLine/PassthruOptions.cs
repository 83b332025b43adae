using System.Globalization;
using Hatchway.Pci.Address;

namespace Hatchway.CommandLine;

/// <summary>A part of a BAR in which the device shows its own config space.</summary>
internal readonly record struct MirrorOption(BarIndex Bar, ulong Offset, ulong Length);

/// <summary>What follows the host's function in <c>-s ...,passthru,0/6/0[,option=value]...</c>.</summary>
/// <param name="Rom">Null for the device's own, "off" for none, else a file.</param>
/// <param name="TrapSubPage">BARs smaller than a page are trapped even where they could be mapped.</param>
/// <param name="Handlers">Assemblies with register handlers.</param>
/// <param name="Mirrors">Where config space is shown in a BAR, beyond what is known of the device.</param>
internal sealed record PassthruOptions(
    string? Rom, bool TrapSubPage, IReadOnlyList<string> Handlers, IReadOnlyList<MirrorOption> Mirrors)
{
    public const string NoRom = "off";

    public static PassthruOptions None { get; } = new(null, false, [], []);

    /// <param name="slot">The whole argument, for messages.</param>
    /// <param name="options">Each as it was typed.</param>
    public static PassthruOptions Parse(string slot, ReadOnlySpan<string> options)
    {
        string? rom = null;
        var trap = false;
        var handlers = new List<string>();
        var mirrors = new List<MirrorOption>();
        foreach (var option in options)
        {
            var equals = option.IndexOf('=', StringComparison.Ordinal);
            var (key, value) = equals < 0 ? (option, "") : (option[..equals], option[(equals + 1)..]);
            switch (key)
            {
                case "rom":
                    rom = value == NoRom ? value : ExistingFile(slot, option, value);
                    break;
                case "subpage":
                    trap = value switch
                    {
                        "auto" => false,
                        "trap" => true,
                        _ => throw new UserException($"-s {slot}: '{option}': write subpage=auto or subpage=trap"),
                    };
                    break;
                case "handler":
                    handlers.Add(ExistingFile(slot, option, value));
                    break;
                case "mirror":
                    mirrors.Add(ParseMirror(slot, option, value));
                    break;
                default:
                    throw new UserException($"-s {slot}: unknown option '{option}' of passthru: '-s help' lists them");
            }
        }
        return new PassthruOptions(rom, trap, handlers, mirrors);
    }

    private static string ExistingFile(string slot, string option, string path) =>
        File.Exists(path) ? path : throw new UserException($"-s {slot}: '{option}': no such file");

    private static MirrorOption ParseMirror(string slot, string option, string value)
    {
        var parts = value.Split(':');
        if (parts.Length == 3
            && byte.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var bar) && bar < 6
            && TryNumber(parts[1], out var offset)
            && TryNumber(parts[2], out var length) && length is > 0 and <= Pci.Spec.Header.ExpressSize)
            return new MirrorOption(new BarIndex(bar), offset, length);
        throw new UserException(
            $"-s {slot}: '{option}': write mirror=BAR:OFFSET:LENGTH, a BAR from 0 to 5 and at most 4096 bytes, as mirror=0:0x88000:0x1000");
    }

    private static bool TryNumber(string text, out ulong number) => text.StartsWith("0x", StringComparison.Ordinal)
        ? ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
        : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
