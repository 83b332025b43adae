using Hatchway.CommandLine;
using Hatchway.Configuration;

namespace Hatchway.Tests.CommandLine;

/// <summary>The settings of virtio devices, as they come out of the tree.</summary>
public sealed class VirtioOptionsTests
{
    // A file that is certainly there.
    private static readonly string File = typeof(VirtioOptionsTests).Assembly.Location;

    [Fact]
    public void A_disk_is_a_path_and_defaults()
    {
        var options = VirtioBlockOptions.From(Node(("path", File)));

        Assert.Equal(new VirtioBlockOptions(File, false, false, false, false, null, null, null, 4), options);
    }

    [Fact]
    public void Bhyves_options_of_a_disk_are_understood()
    {
        var options = VirtioBlockOptions.From(Node(
            ("path", File), ("ro", "true"), ("nocache", "true"), ("sync", "true"), ("nodelete", "true"),
            ("sectorsize", "512/4096"), ("ser", "WD-1"), ("threads", "1")));

        Assert.Equal(new VirtioBlockOptions(File, true, true, true, true, 512, 4096, "WD-1", 1), options);
    }

    [Theory]
    [InlineData("", "", "which file?")]
    [InlineData("path", "/no/such/file", "no such file")]
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

    private static ConfigurationNode Node(params (string Name, string Value)[] settings)
    {
        var tree = ConfigurationTree.WithDefaults();
        foreach (var (name, value) in settings)
            tree.Set($"pci.0.3.0.{name}", value);
        return tree.Node("pci.0.3.0");
    }
}
