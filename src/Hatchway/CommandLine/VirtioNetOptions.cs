using System.Globalization;
using System.Text;
using Hatchway.Configuration;
using Hatchway.Linux;
using Hatchway.Machine.Virtio.Devices;

namespace Hatchway.CommandLine;

/// <summary>The settings of a <c>virtio-net</c>: bhyve_config(5)'s, and one of our own.</summary>
/// <param name="Tap">The host's interface.</param>
/// <param name="Mac">The card's MAC address, or null for one derived from slot and name.</param>
/// <param name="Mtu">The MTU that the guest is told, or null to leave it to the guest.</param>
/// <param name="Queues">The number of queue pairs.</param>
internal sealed record VirtioNetOptions(string Tap, byte[]? Mac, int? Mtu, int Queues)
{
    private const int MacBytes = 6;

    // RFC 791's minimum; and a tap's 65535 bytes minus Ethernet's header.
    private const int LeastMtu = 68;
    private const int MostMtu = 65521;

    // bhyve derives the backend's type from the beginning of its name (usr.sbin/bhyve/net_backends.c). Linux has none of these types.
    private static readonly string[] OtherTypes = ["netgraph", "ngd", "vale", "slirp"];

    /// <summary>Reads the settings. Nothing is opened.</summary>
    /// <exception cref="UserException">A setting is wrong.</exception>
    public static VirtioNetOptions From(ConfigurationNode node)
    {
        var tap = Backend(node);
        if (Encoding.UTF8.GetByteCount(tap) is 0 or > TapFile.LongestName || tap is "." or ".."
            || tap.Any(static letter => letter is '/' or ':' or '%' || char.IsWhiteSpace(letter) || char.IsControl(letter)))
        {
            throw new UserException(
                $"{node.Origin("backend")}: '{tap}' can't be the name of an interface: at most {TapFile.LongestName} letters, as tap0");
        }
        return new VirtioNetOptions(
            tap, Address(node), node.Number("mtu", LeastMtu, MostMtu), node.Number("queues", 1, VirtioNetwork.MostPairs) ?? 1);
    }

    /// <summary>Reads the host's interface. A backend of another type is refused here, before its options are.</summary>
    /// <exception cref="UserException">No interface is named, or the type is not tap.</exception>
    public static string Backend(ConfigurationNode node)
    {
        var backend = node.Text("backend")
            ?? throw new UserException($"{node.Origin()}: which interface of the host? Write virtio-net,tap0");
        var type = node.Text("type") ?? Array.Find(OtherTypes, other => backend.StartsWith(other, StringComparison.Ordinal)) ?? "tap";
        if (type == "tap")
            return backend;
        var origin = node.Origin(node.Text("type") is null ? "backend" : "type");
        throw new UserException($"{origin}: there is no '{type}' here: use a tap interface, as tap0");
    }

    /// <summary>The default MAC address, the same as bhyve's for the same slot and name (usr.sbin/bhyve/net_utils.c).</summary>
    public static byte[] DefaultMac(int slot, int function, string name)
    {
        var text = Encoding.UTF8.GetBytes($"{slot}-{function}-{name}");
        var digest = Md5.Digest(text);
        return [0x00, 0xA0, 0x98, digest[0], digest[1], digest[2]];
    }

    private static byte[]? Address(ConfigurationNode node)
    {
        if (node.Text("mac") is not { } text)
            return null;
        var parts = text.Split(':');
        var mac = new byte[MacBytes];
        var isAddress = parts.Length == MacBytes;
        for (var i = 0; isAddress && i < MacBytes; i++)
        {
            isAddress = parts[i].Length <= 2
                && byte.TryParse(parts[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out mac[i]);
        }
        var origin = node.Origin("mac");
        if (!isAddress)
            throw new UserException($"{origin}: '{text}' is no Ethernet address: write six hexadecimal numbers, as 02:00:00:12:34:56");
        // IEEE 802: the first byte's lowest bit marks a group address.
        if ((mac[0] & 1) != 0 || mac.All(static part => part == 0))
            throw new UserException($"{origin}: '{text}' can't be a card's address: the first number is to be even, and not all are 0");
        return mac;
    }
}
