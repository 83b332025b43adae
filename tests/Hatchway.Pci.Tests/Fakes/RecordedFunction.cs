using System.Globalization;
using System.Reflection;
using Hatchway.Pci.Address;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>A config space from a file in the format of <c>lspci -xxxx</c>; comments give the sizes of its regions.</summary>
internal sealed record RecordedFunction(string Name, byte[] Config, IReadOnlyDictionary<BarIndex, ulong> Regions)
{
    /// <summary>The names of all recordings.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Assembly.GetExecutingAssembly().GetManifestResourceNames().Order(StringComparer.Ordinal)];

    /// <summary>The names as a theory's data.</summary>
    public static TheoryData<string> All => [.. Names];

    public static RecordedFunction Load(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)
            ?? throw new ArgumentException($"no recording '{name}'", nameof(name));
        using var reader = new StreamReader(stream);
        return Parse(name, reader.ReadToEnd());
    }

    private static RecordedFunction Parse(string name, string text)
    {
        var bytes = new List<byte>();
        var regions = new Dictionary<BarIndex, ulong>();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("# region ", StringComparison.Ordinal))
            {
                var parts = line["# region ".Length..].Split(": 0x");
                var index = parts[0] == "ROM" ? BarIndex.Rom : new BarIndex((byte)(parts[0][3] - '0'));
                regions[index] = ulong.Parse(parts[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            }
            else if (line.IndexOf(": ", StringComparison.Ordinal) is (2 or 3) and var colon && line[0] != '#')
            {
                var at = int.Parse(line[..colon], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                if (at != bytes.Count)
                    throw new FormatException($"{name}: line {at:x} follows {bytes.Count:x} bytes");
                bytes.AddRange(Convert.FromHexString(line[(colon + 1)..].Replace(" ", "", StringComparison.Ordinal)));
            }
        }
        return new RecordedFunction(name, [.. bytes], regions);
    }
}
