using Hatchway.CommandLine;
using Hatchway.Configuration;

namespace Hatchway.Tests.CommandLine;

/// <summary>The settings of virtio devices, read from the tree.</summary>
public sealed class VirtioOptionsTests
{
    // A file that is sure to exist.
    private static readonly string File = typeof(VirtioOptionsTests).Assembly.Location;

    [Fact]
    public void A_disk_is_a_path_and_defaults()
    {
        var options = VirtioBlockOptions.From(Node(("path", File)));

        Assert.Equal(new VirtioBlockOptions(File, false, false, false, false, false, null, null, null, 4), options);
    }

    [Fact]
    public void Bhyves_options_of_a_disk_are_understood()
    {
        var options = VirtioBlockOptions.From(Node(
            ("path", File), ("ro", "true"), ("nocache", "true"), ("sync", "true"), ("shared", "true"), ("nodelete", "true"),
            ("sectorsize", "512/4096"), ("ser", "WD-1"), ("threads", "1")));

        Assert.Equal(new VirtioBlockOptions(File, true, true, true, true, true, 512, 4096, "WD-1", 1), options);
    }

    [Theory]
    [InlineData("", "", "which file?")]
    [InlineData("path", "/no/such/file", "'truncate -s 10G /no/such/file' makes an empty disk")]
    [InlineData("path", "/dev/no-such-disk", "no such device: 'lsblk -p'")]
    [InlineData("path", "/tmp", "a directory")]
    [InlineData("sectorsize", "500", "powers of two from 512")]
    [InlineData("sectorsize", "4096/512", "powers of two from 512")]
    [InlineData("sectorsize", "512/4096/1", "powers of two from 512")]
    [InlineData("ser", "123456789012345678901", "1 to 20 characters")]
    [InlineData("threads", "17", "from 1 to 16")]
    public void A_mistake_is_named(string name, string value, string message)
    {
        var node = name switch
        {
            "" => Node(),
            "path" => Node((name, value)),
            _ => Node(("path", File), (name, value)),
        };

        Assert.Contains(message, Assert.Throws<UserException>(() => VirtioBlockOptions.From(node)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_split_layout_is_offered_and_the_packed_one_on_demand()
    {
        Assert.False(VirtioOptions.Packed(Node()));
        Assert.False(VirtioOptions.Packed(Node(("ring", "split"))));
        Assert.True(VirtioOptions.Packed(Node(("ring", "packed"))));
        Assert.Throws<UserException>(() => VirtioOptions.Packed(Node(("ring", "round"))));
    }

    [Fact]
    public void A_card_is_a_tap_and_bhyves_options_of_it_are_understood()
    {
        var plain = VirtioNetOptions.From(Node(("backend", "tap0")));
        var full = VirtioNetOptions.From(
            Node(("backend", "vm-1"), ("type", "tap"), ("mac", "2:0:0:12:34:fe"), ("mtu", "9000"), ("queues", "8")));

        Assert.Equal(("tap0", null, null, 1), (plain.Tap, plain.Mac, plain.Mtu, plain.Queues));
        Assert.Equal(("vm-1", 9000, 8), (full.Tap, full.Mtu, full.Queues));
        Assert.Equal([0x02, 0x00, 0x00, 0x12, 0x34, 0xFE], full.Mac!);
    }

    [Theory]
    [InlineData("", "", "which interface")]
    [InlineData("backend", "an-interface-of-more", "at most 15 letters")]
    [InlineData("backend", "tap/0", "can't be the name")]
    [InlineData("backend", "tap%%d", "can't be the name")]
    [InlineData("backend", "vale0:1", "there is no 'vale'")]
    [InlineData("type", "slirp", "there is no 'slirp'")]
    [InlineData("mac", "02:00:00:12:34", "six hexadecimal numbers")]
    [InlineData("mac", "02:00:00:12:34:xy", "six hexadecimal numbers")]
    [InlineData("mac", "01:00:5e:00:00:01", "first number is to be even")]
    [InlineData("mac", "0:0:0:0:0:0", "not all are 0")]
    [InlineData("mtu", "67", "from 68 to 65521")]
    [InlineData("queues", "9", "from 1 to 8")]
    public void A_mistake_of_a_card_is_named(string name, string value, string message)
    {
        var node = name switch
        {
            "" => Node(),
            "backend" => Node((name, value)),
            _ => Node(("backend", "tap0"), (name, value)),
        };

        Assert.Contains(message, Assert.Throws<UserException>(() => VirtioNetOptions.From(node)).Message, StringComparison.Ordinal);
    }

    // RFC 1321 §A.5.
    [Theory]
    [InlineData("", "d41d8cd98f00b204e9800998ecf8427e")]
    [InlineData("message digest", "f96b697d7cb7938d525a2f31aaf161d0")]
    [InlineData("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a")]
    public void Digests_are_the_standards(string text, string digest) =>
        Assert.Equal(digest, Convert.ToHexStringLower(Md5.Digest(System.Text.Encoding.ASCII.GetBytes(text))));

    [Fact]
    public void A_card_without_an_address_has_the_one_that_bhyve_gives_it() =>
        // md5 -s 2-0-linuxguest
        Assert.Equal([0x00, 0xA0, 0x98, 0xD2, 0x16, 0x22], VirtioNetOptions.DefaultMac(2, 0, "linuxguest"));

    [Fact]
    public void A_console_has_ports_with_names_and_sockets_in_their_order()
    {
        var ports = VirtioConsolePort.From(Node(
            ("port.10.name", "log"), ("port.10.path", "/run/log"), ("port.9.name", "agent"), ("port.9.path", "/run/agent")));

        Assert.Equal([("agent", "/run/agent"), ("log", "/run/log")], ports.Select(static port => (port.Name, port.Path)));
    }

    [Theory]
    [InlineData("needs a port")]
    [InlineData("needs a name", "path=/a")]
    [InlineData("needs a socket", "name=a")]
    [InlineData("differ in name and path", "name=a path=/a", "name=a path=/b")]
    [InlineData("differ in name and path", "name=a path=/a", "name=b path=/a")]
    [InlineData("1 to 64 letters", "name=0123456789012345678901234567890123456789012345678901234567890123456789 path=/a")]
    public void A_mistake_of_a_console_is_named(string message, params string[] ports)
    {
        var settings = ports.SelectMany(static (port, i) => port.Split(' ').Select(setting =>
            ($"port.{i}.{setting.Split('=')[0]}", setting.Split('=')[1]))).ToArray();

        var refusal = Assert.Throws<UserException>(() => VirtioConsolePort.From(Node(settings)));

        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
    }

    private static ConfigurationNode Node(params (string Name, string Value)[] settings)
    {
        var tree = ConfigurationTree.WithDefaults();
        foreach (var (name, value) in settings)
            tree.Set($"pci.0.3.0.{name}", value);
        return tree.Node("pci.0.3.0");
    }
}
