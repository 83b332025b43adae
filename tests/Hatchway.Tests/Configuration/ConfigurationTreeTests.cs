using FsCheck;
using FsCheck.Fluent;
using Hatchway.Configuration;

namespace Hatchway.Tests.Configuration;

public sealed class ConfigurationTreeTests
{
    [Fact]
    public void A_later_value_replaces_an_earlier_one()
    {
        var tree = new ConfigurationTree();
        tree.Set("cpus", "1");
        tree.Set("cpus", "2");
        Assert.Equal("2", tree.Text("cpus"));
        Assert.Equal("cpus=2\n", tree.Dump());
    }

    [Fact]
    public void A_dump_is_sorted_by_name_and_keeps_references()
    {
        var tree = new ConfigurationTree();
        tree.Set("pci.0.3.0.path", "/disks/%(name)");
        tree.Set("name", "guest");
        Assert.Equal("name=guest\npci.0.3.0.path=/disks/%(name)\n", tree.Dump());
    }

    [Theory]
    [InlineData("/disks/%(name).img", "/disks/guest.img")]
    [InlineData("%(disk)", "/disks/guest")]
    [InlineData("%(name)%(name)", "guestguest")]
    [InlineData("100%% of %(name)", "100% of guest")]
    [InlineData(@"\%(name) %(name)", "%(name) guest")]
    [InlineData(@"C:\no\percent", @"C:\no\percent")]
    public void References_are_replaced_and_signs_can_be_quoted(string value, string expanded)
    {
        var tree = new ConfigurationTree();
        tree.Set("name", "guest");
        tree.Set("disk", "/disks/%(name)");
        tree.Set("value", value);
        Assert.Equal(expanded, tree.Text("value"));
    }

    [Theory]
    [InlineData("50%")]
    [InlineData("%(name")]
    [InlineData("%name")]
    public void A_percent_sign_alone_is_told(string value)
    {
        var tree = new ConfigurationTree();
        tree.Set("value", value, $"-o value={value}");
        var mistake = Assert.Throws<UserException>(() => tree.Text("value"));
        Assert.Equal($"-o value={value}: a percent sign begins a reference, as %(name): write %% for the sign itself", mistake.Message);
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("Yes", true)]
    [InlineData("ON", true)]
    [InlineData("true", true)]
    [InlineData("0", false)]
    [InlineData("No", false)]
    [InlineData("OFF", false)]
    [InlineData("false", false)]
    public void True_and_false_have_bhyves_words(string text, bool value)
    {
        var tree = new ConfigurationTree();
        tree.Set("flag", text);
        Assert.Equal(value, tree.Root.Flag("flag", !value));
        Assert.Equal(value, tree.Root.Flag("other", value));
    }

    [Theory]
    [InlineData("12", 12)]
    [InlineData("0x1F", 31)]
    [InlineData("017", 15)]
    [InlineData("0", 0)]
    [InlineData("-1", null)]
    [InlineData("0x", null)]
    [InlineData("018", null)]
    [InlineData("", null)]
    [InlineData("99999999999", null)]
    [InlineData("0777777777777", null)]
    public void Numbers_are_those_of_strtol(string text, int? number) =>
        Assert.Equal(number, ConfigurationNode.TryNumber(text, out var read) ? read : null);

    [Fact]
    public void A_devices_node_shows_its_own_variables_and_children_in_order_of_their_numbers()
    {
        var tree = new ConfigurationTree();
        foreach (var port in (int[])[10, 2, 0])
            tree.Set($"pci.0.3.0.port.{port}.name", $"p{port}");
        tree.Set("pci.0.3.0.device", "virtio-console");
        tree.Set("pci.0.30.0.device", "virtio-rnd");
        var node = tree.Node("pci.0.3.0");
        Assert.Equal("virtio-console", node.Text("device"));
        Assert.Equal(["0", "2", "10"], node.Node("port").Children.Select(static port => port.Name));
        Assert.Equal("p10", node.Node("port.10").Text("name"));
        Assert.Equal(4, node.All.Count());
    }

    [Fact]
    public void A_file_is_read_line_by_line_and_a_mistake_is_told_with_its_line()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "# a guest\n\nname=guest\ncpus=2\nhatchway.cmdline=root=/dev/vda quiet\n");
            var tree = new ConfigurationTree();
            ConfigurationFile.Read(path, tree);
            Assert.Equal("cpus=2\nhatchway.cmdline=root=/dev/vda quiet\nname=guest\n", tree.Dump());
            File.WriteAllText(path, "name=guest\n\ncpus 2\n");
            var mistake = Assert.Throws<UserException>(() => ConfigurationFile.Read(path, tree));
            Assert.Equal($"{path} line 3: cpus 2: write name=value, without blanks around the sign", mistake.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Text_that_is_quoted_stands_for_itself() => Check.QuickThrowOnFailure(Prop.ForAll(Values(), static value =>
    {
        var tree = new ConfigurationTree();
        tree.Set("value", VariableReferences.Quote(value));
        return tree.Text("value") == value;
    }));

    [Fact]
    public void What_is_dumped_reads_back_as_the_same_tree() => Check.QuickThrowOnFailure(Prop.ForAll(Trees(), static tree =>
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, tree.Dump());
            var again = new ConfigurationTree();
            ConfigurationFile.Read(path, again);
            return again.Dump() == tree.Dump()
                && again.All.Select(static setting => (setting.Name, setting.Value))
                    .SequenceEqual(tree.All.Select(static setting => (setting.Name, setting.Value)));
        }
        finally
        {
            File.Delete(path);
        }
    }));

    private static Arbitrary<string> Values() =>
        Gen.Elements("abz09 =#%()\\.,:/ä\"'".ToCharArray()).NonEmptyListOf().Select(static letters => string.Concat(letters)).ToArbitrary();

    // Few words, so that names collide; a name that conflicts with another is left out.
    private static Arbitrary<ConfigurationTree> Trees()
    {
        var names = Gen.Elements("pci", "0", "31", "path", "com1", "x86", "a-b_c").NonEmptyListOf()
            .Select(static words => string.Join('.', words.Take(4)));
        var settings = names.SelectMany(name => Values().Generator.Select(value => (name, value))).ListOf();
        return settings.Select(static list =>
        {
            var tree = new ConfigurationTree();
            foreach (var (name, value) in list)
            {
                try
                {
                    tree.Set(name, value);
                }
                catch (UserException)
                {
                }
            }
            return tree;
        }).ToArbitrary();
    }
}
