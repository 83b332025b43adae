using System.Globalization;

namespace Hatchway.Passthrough.Host;

/// <summary>Finds how the host uses a function's network interfaces, directly or through bridges, bonds and VLANs.</summary>
internal static class NetworkUses
{
    // linux/if.h.
    private const uint IFF_UP = 1;
    private const uint IFF_LOOPBACK = 8;
    private const string Upper = "upper_";

    /// <summary>Lists the function's interfaces that are up.</summary>
    public static IReadOnlyList<string> Up(DeviceSubject subject) =>
        [.. subject.View.Networks(subject.Address).Where(name => (Flags(subject.View, name) & IFF_UP) != 0)];

    /// <summary>Finds the first of some interfaces that has the host's default route, itself or through one built on it; or null.</summary>
    public static string? WayToTheWorld(HostView view, IEnumerable<string> interfaces) =>
        interfaces.FirstOrDefault(name => WithUppers(view, name).Any(upper => HasDefaultRoute(view, upper)));

    /// <summary>True when no other interface with a device behind it is up.</summary>
    public static bool AreAllThereIs(HostView view, IReadOnlyList<string> interfaces) => !view.Sysfs.List("class/net").Any(name =>
        !interfaces.Contains(name)
        && view.Sysfs.Exists($"class/net/{name}/device")
        && (Flags(view, name) & (IFF_UP | IFF_LOOPBACK)) == IFF_UP);

    // An interface has a link for each one built on it (net/core/dev.c, netdev_adjacent_sysfs_add).
    private static List<string> WithUppers(HostView view, string name)
    {
        var found = new List<string> { name };
        for (var i = 0; i < found.Count; i++)
        {
            var uppers = view.Sysfs.List($"class/net/{found[i]}").Where(static file => file.StartsWith(Upper, StringComparison.Ordinal));
            found.AddRange(uppers.Select(static file => file[Upper.Length..]).Where(upper => !found.Contains(upper)).ToList());
        }
        return found;
    }

    private static uint Flags(HostView view, string name) =>
        view.Sysfs.TryReadText($"class/net/{name}/flags") is ['0', 'x', .. var digits]
        && uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var flags)
            ? flags
            : 0;

    // "eth0	00000000	0102000A	0003 ...": a zero destination is the default route (proc(5), net/route). With IPv6, the prefix length
    // follows the destination, and the interface is last (net/ipv6/route.c, rt6_info_route).
    private static bool HasDefaultRoute(HostView view, string name) =>
        Lines(view, "net/route").Any(words => words is [var device, "00000000", ..] && device == name)
        || Lines(view, "net/ipv6_route")
            .Any(words => words is ["00000000000000000000000000000000", "00", .., var device] && device == name);

    private static IEnumerable<string[]> Lines(HostView view, string file) =>
        (view.Proc(file) ?? "").Split('\n').Select(static line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries));
}
