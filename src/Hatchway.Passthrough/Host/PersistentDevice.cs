using System.Globalization;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>A function that is reserved for guests at each boot.</summary>
/// <param name="Address">Its address when it was reserved.</param>
/// <param name="Vendor">Its vendor id at that time; null when the file has none, as when it was written by hand.</param>
/// <param name="Device">Its device id, likewise.</param>
/// <param name="User">The user who becomes the owner of its group's file, or null.</param>
/// <param name="OwnPage">True when its BARs get pages of their own.</param>
/// <remarks>
/// <para>
/// The file has the syntax of FreeBSD's loader.conf(5), and bhyve's variable: <c>pptdevs="6/0/0 2/1/0"</c>. A second variable, which
/// FreeBSD ignores, has the details: <c>hatchway_pptdevs="0000:06:00.0=1b36:0010,user=alice,own-page"</c>. Only functions in the first
/// are reserved.
/// </para>
/// </remarks>
public sealed record PersistentDevice(PciAddress Address, ushort? Vendor, ushort? Device, string? User, bool OwnPage)
{
    private const string Addresses = "pptdevs";
    private const string Details = "hatchway_pptdevs";
    private const string UserKey = "user=";
    private const string OwnPageKey = "own-page";

    private const string Head =
        """
        # PCI functions that are taken from the host at each boot, for guests: written by 'hatchway host reserve --persist'.
        # A function is taken only while it is the device that the second line says.
        """;

    private string DetailWord => string.Concat(
        $"{Address}={Vendor:x4}:{Device:x4}", User is null ? "" : $",{UserKey}{User}", OwnPage ? $",{OwnPageKey}" : "");

    // bhyve's notation has no domain.
    private string BhyveAddress => Address.Domain != 0
        ? Address.ToString()
        : $"{Address.Bus}/{Address.Device}/{Address.Function}";

    /// <summary>Parses a file's text.</summary>
    /// <exception cref="FormatException">It has a word that is not an address.</exception>
    public static IReadOnlyList<PersistentDevice> ParseAll(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var details = new Dictionary<PciAddress, string[]>();
        foreach (var word in Words(text, Details))
        {
            var equals = word.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
                details[PciAddress.Parse(word[..equals])] = word[(equals + 1)..].Split(',');
        }
        return [.. Words(text, Addresses).Select(static word => PciAddress.Parse(word)).Distinct()
            .Select(address => Of(address, details.GetValueOrDefault(address) ?? []))];
    }

    /// <summary>Replaces the functions in a file's text, and keeps its other lines.</summary>
    public static string Replace(string text, IReadOnlyList<PersistentDevice> devices)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(devices);
        var kept = text.Length == 0
            ? Head.Split('\n')
            : text.TrimEnd('\n').Split('\n').Where(static line => !IsOf(line, Addresses) && !IsOf(line, Details)).ToArray();
        var known = devices.Where(static device => device.Vendor is not null);
        return string.Join('\n', kept)
            + $"\n{Addresses}=\"{string.Join(' ', devices.Select(static device => device.BhyveAddress))}\""
            + $"\n{Details}=\"{string.Join(' ', known.Select(static device => device.DetailWord))}\"\n";
    }

    /// <summary>Says why the function now at the address must not be reserved; null when it is the one that the user reserved.</summary>
    public string? Objection(HostView view, string file)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (view.Find(Address) is not { } found)
            return $"{Address}, which {file} names, is not there: 'hatchway host release --persist {Address}' takes it out";
        if (Vendor is null)
            return $"{Address} is left alone, since {file} does not say which device it was: 'hatchway host reserve --persist {Address}'";
        return (found.Vendor, found.Device) == (Vendor, Device)
            ? null
            : $"{Address} is left alone: it is {found.Vendor:x4}:{found.Device:x4} now, "
                + $"and was {Vendor:x4}:{Device:x4} when it was reserved; "
                + $"'hatchway host list --id {Vendor:x4}:{Device:x4}' looks for that";
    }

    private static PersistentDevice Of(PciAddress address, string[] details)
    {
        ushort? vendor = null, device = null;
        if (details is [var first, ..] && first.Split(':') is [var v, var d] && TryId(v, out var vendorId) && TryId(d, out var deviceId))
            (vendor, device) = (vendorId, deviceId);
        return new PersistentDevice(
            address, vendor, device,
            Array.Find(details, static word => word.StartsWith(UserKey, StringComparison.Ordinal))?[UserKey.Length..],
            details.Contains(OwnPageKey));
    }

    private static bool TryId(string text, out ushort id) =>
        ushort.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out id);

    private static bool IsOf(string line, string name) => line.TrimStart().StartsWith($"{name}=", StringComparison.Ordinal);

    // The last assignment to a variable counts, as in loader.conf(5).
    private static string[] Words(string text, string name)
    {
        var line = text.Split('\n').LastOrDefault(line => IsOf(line, name)) ?? "=";
        var value = line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..].Split('#')[0];
        return value.Split([' ', '\t', '"', '\r'], StringSplitOptions.RemoveEmptyEntries);
    }
}
