using System.Reflection;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>Dumps of lspci from another machine, intact and broken.</summary>
public sealed class LspciDumpTests
{
    private static readonly string Lab = Recorded("lab");

    [Fact]
    public void All_functions_of_a_whole_dump_are_read_without_a_warning()
    {
        var dump = LspciDump.Parse(Lab);

        Assert.Empty(dump.Warnings);
        Assert.Equal(Lab.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Length, dump.Functions.Count);
        Assert.Contains(dump.Functions, static function => function.Config.Size == 4096);
    }

    [Fact]
    public void A_function_is_what_its_header_and_its_chains_say()
    {
        var nvme = Find(Lab, "00:06.0");

        Assert.Equal((0x1B36, 0x0010, 0x010802u), (nvme.Device.Vendor, nvme.Device.Device, nvme.Device.Class));
        Assert.Equal(((ushort)0x1AF4, (ushort)0x1100), nvme.Subsystem);
        Assert.Equal(1, nvme.InterruptPin);
        var bar = Assert.Single(nvme.Bars);
        Assert.Equal((BarKind.Memory64, (ulong?)null), (bar.Kind, bar.Size));
        Assert.NotNull(bar.Address);
        Assert.Equal(
            [
                "MSI-X: 65 vectors, table in BAR0 at 2000h, pending bits in BAR0 at 3000h, off",
                "PCI Express: integrated endpoint, function level reset, 1 lane at 2.5 GT/s",
                "power management: in D0",
            ],
            nvme.Capabilities.Standard.Select(capability => CapabilityWords.Describe(nvme.Config, capability)).Order(StringComparer.Ordinal)
                .Select(static words => words.Replace("in D3hot", "in D0", StringComparison.Ordinal)));
    }

    [Fact]
    public void Ports_and_bridges_are_told_from_memory_and_endpoints()
    {
        Assert.Equal(BarKind.Io, Find(Lab, "00:09.0").Bars[0].Kind);
        Assert.True(Find(Lab, "00:0b.0").Device.IsBridge);
        Assert.Empty(Find(Lab, "00:0b.0").Bars);
    }

    [Fact]
    public void A_header_alone_gives_all_but_the_capabilities()
    {
        var dump = LspciDump.Parse(Recorded("header"));

        var function = Assert.Single(dump.Functions);
        Assert.Empty(dump.Warnings);
        Assert.Single(function.Bars);
        Assert.Empty(function.Capabilities.Standard);
        Assert.Contains("only 64 bytes", Assert.Single(function.Capabilities.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("some other text\n", "begins with no PCI address")]
    [InlineData("00:06.0 a\n00: 86 80 zz 00\n", "'zz' is no byte")]
    [InlineData("00:06.0 a\n10: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n", "'10:' where 00 was to come")]
    [InlineData("00:06.0 a\n00: 86 80\n", "2 bytes in a line instead of 16")]
    [InlineData("00:06.0 a\n", "0 bytes are less than a header's 64")]
    [InlineData("\u001b[31m0 a\n", "'?[31m0 a' begins with no PCI address")]
    public void What_is_broken_is_told_with_its_line_and_left_out(string text, string says)
    {
        var dump = LspciDump.Parse(text);

        Assert.Empty(dump.Functions);
        Assert.Contains(dump.Warnings, warning => warning.Contains(says, StringComparison.Ordinal));
    }

    [Fact]
    public void A_function_that_breaks_off_keeps_its_header_and_its_neighbours_are_whole()
    {
        var text = $"00:05.0 broken\n{Lines(4)}40: 01 oops\n\n00:05.0 again\n{Lines(16)}\n00:07.0 whole\n{Lines(16)}";

        var dump = LspciDump.Parse(text);

        Assert.Equal([64, 256], dump.Functions.Select(static function => function.Config.Size));
        Assert.Contains("line 6", dump.Warnings[0], StringComparison.Ordinal);
        Assert.Contains("is there twice", dump.Warnings[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x40, "loops back to 40h")]
    [InlineData(0x10, "points into the header")]
    public void A_broken_chain_is_said_to_be_broken(byte next, string says)
    {
        var config = new byte[256];
        (config[0x06], config[0x34], config[0x40], config[0x41]) = (0x10, 0x40, 0x09, next);

        var function = Assert.Single(LspciDump.Parse($"00:05.0 a\n{Lines(config)}").Functions);

        Assert.Contains(says, Assert.Single(function.Capabilities.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void No_change_of_a_dump_makes_it_fatal()
    {
        var mutations = Gen.ArrayOf(Gen.Zip(Gen.Choose(0, Lab.Length - 1), Gen.Choose(0, 127)), 20);

        Check.One(
            FsCheck.Config.QuickThrowOnFailure.WithMaxTest(100).WithQuietOnSuccess(true),
            Prop.ForAll(mutations.ToArbitrary(), static changes =>
            {
                var text = new StringBuilder(Lab);
                foreach (var (at, character) in changes)
                    text[at] = (char)character;
                Inspect(text.ToString());
            }));
    }

    [Fact]
    public void No_bytes_of_a_config_space_make_it_fatal()
    {
        var spaces = Gen.Choose(0, int.MaxValue).Select(static seed =>
        {
            var random = new System.Random(seed);
            var config = new byte[random.Next(2) == 0 ? 256 : 4096];
            random.NextBytes(config);
            // An endpoint with capabilities, so that most of the config space is parsed.
            (config[0x06], config[0x0E]) = (0x10, 0);
            return Lines(config);
        });

        Check.One(
            FsCheck.Config.QuickThrowOnFailure.WithMaxTest(200).WithQuietOnSuccess(true),
            Prop.ForAll(spaces.ToArbitrary(), static lines => Inspect($"00:05.0 a\n{lines}")));
    }

    private static void Inspect(string text)
    {
        foreach (var function in LspciDump.Parse(text).Functions)
        {
            foreach (var capability in (Capability[])[.. function.Capabilities.Standard, .. function.Capabilities.Extended])
                Assert.NotEmpty(CapabilityWords.Describe(function.Config, capability));
            Assert.InRange(function.InterruptPin, 0, 4);
            _ = MsixLayout.Find(function.Config, function.Capabilities)?.PbaRange(null!);
            _ = function.Subsystem;
        }
    }

    private static string Lines(int count) => Lines(new byte[16 * count]);

    private static string Lines(byte[] config) => string.Concat(config.Chunk(16).Select(static (line, i) =>
        $"{16 * i:x2}: "
        + string.Join(' ', line.Select(static value => value.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)))
        + "\n"));

    private static InspectedFunction Find(string text, string address) =>
        LspciDump.Parse(text).Functions.Single(function => function.Device.Address == PciAddress.Parse(address));

    private static string Recorded(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
