using System.Globalization;
using System.Text;

namespace Hatchway.Passthrough.Host;

/// <summary>Names of vendors, devices and classes, from the system's pci.ids (whose first lines explain its format).</summary>
/// <remarks>One pass over the file keeps the requested vendors and all classes. For one thread.</remarks>
public sealed class PciIds
{
    /// <summary>The paths where distributions put the file.</summary>
    public static IReadOnlyList<string> Places { get; } =
        ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids"];

    private readonly Dictionary<int, string> _vendors = [];
    private readonly Dictionary<int, string> _devices = [];
    private readonly Dictionary<int, string> _classes = [];
    private readonly Dictionary<int, string> _subClasses = [];

    private PciIds()
    {
    }

    /// <summary>A vendor's name, or null.</summary>
    public string? Vendor(ushort vendor) => _vendors.GetValueOrDefault(vendor);

    /// <summary>A device's name, or null.</summary>
    public string? Device(ushort vendor, ushort device) => _devices.GetValueOrDefault((vendor << 16) | device);

    /// <summary>The name of a class code's sub-class, or of its base class if that has none, or null.</summary>
    /// <param name="classCode">24 bits.</param>
    public string? Class(uint classCode) =>
        _subClasses.GetValueOrDefault((int)(classCode >> 8)) ?? BaseClass(classCode);

    /// <summary>The name of a class code's base class, or null.</summary>
    /// <param name="classCode">24 bits.</param>
    public string? BaseClass(uint classCode) => _classes.GetValueOrDefault((int)(classCode >> 16));

    /// <summary>Reads the system's file. Without one, no name is known.</summary>
    /// <param name="vendors">The vendors whose names, and whose devices' names, are needed.</param>
    /// <param name="places">Paths to try; <see cref="Places"/> when null.</param>
    public static PciIds Load(IReadOnlySet<int> vendors, IReadOnlyList<string>? places = null)
    {
        ArgumentNullException.ThrowIfNull(vendors);
        var ids = new PciIds();
        foreach (var place in places ?? Places)
        {
            try
            {
                if (!File.Exists(place))
                    continue;
                ids.Read(File.ReadAllBytes(place), vendors);
                break;
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                // Names are a convenience: try the next path, or show numbers only.
            }
        }
        return ids;
    }

    private void Read(ReadOnlySpan<byte> file, IReadOnlySet<int> vendors)
    {
        int? vendor = null;
        int? baseClass = null;
        while (!file.IsEmpty)
        {
            var end = file.IndexOf((byte)'\n');
            var line = end < 0 ? file : file[..end];
            file = end < 0 ? default : file[(end + 1)..];
            if (line.IsEmpty || line[0] == '#')
                continue;
            if (line[0] != '\t')
            {
                (vendor, baseClass) = (null, null);
                if (line.StartsWith("C "u8) && TryEntry(line[2..], 2, out var number, out var name))
                    _classes[(baseClass = number).Value] = name;
                else if (TryNumber(line, 4, out number) && vendors.Contains(number) && TryEntry(line, 4, out number, out name))
                    _vendors[(vendor = number).Value] = name;
            }
            else if (line.Length > 1 && line[1] != '\t')
            {
                if (vendor is { } owner && TryEntry(line[1..], 4, out var device, out var name))
                    _devices[(owner << 16) | device] = name;
                else if (baseClass is { } above && TryEntry(line[1..], 2, out var subClass, out name))
                    _subClasses[(above << 8) | subClass] = name;
            }
        }
    }

    // A number of the given digits, two spaces, a name.
    private static bool TryEntry(ReadOnlySpan<byte> line, int digits, out int number, out string name)
    {
        name = "";
        if (!TryNumber(line, digits, out number) || line.Length <= digits + 2)
            return false;
        name = Encoding.UTF8.GetString(line[(digits + 2)..]).Trim();
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<byte> line, int digits, out int number)
    {
        number = 0;
        return line.Length >= digits
            && int.TryParse(line[..digits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number);
    }
}
