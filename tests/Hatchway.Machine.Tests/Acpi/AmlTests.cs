using Hatchway.Machine.Acpi;

namespace Hatchway.Machine.Tests.Acpi;

public sealed class AmlTests
{
    [Theory]
    [InlineData(0ul, "00")]
    [InlineData(1ul, "01")]
    [InlineData(2ul, "0A02")]
    [InlineData(0xFFul, "0AFF")]
    [InlineData(0x100ul, "0B0001")]
    [InlineData(0xFFFFul, "0BFFFF")]
    [InlineData(0x1_0000ul, "0C00000100")]
    [InlineData(0xFFFF_FFFFul, "0CFFFFFFFF")]
    [InlineData(0x1_0000_0000ul, "0E0000000001000000")]
    public void An_integer_has_the_shortest_encoding(ulong value, string expected) => Equal(expected, Aml.Integer(value));

    [Theory]
    [InlineData("PNP0A08", "0C41D00A08")]
    [InlineData("PNP0A03", "0C41D00A03")]
    [InlineData("PNP0501", "0C41D00501")]
    public void A_plug_and_play_id_is_packed_big_endian(string id, string expected) => Equal(expected, Aml.EisaId(id));

    [Theory]
    [InlineData("\\", "5C00")]
    [InlineData("_SB", "5F53425F")]
    [InlineData("\\_SB", "5C5F53425F")]
    [InlineData("_SB.PCI0", "2E5F53425F50434930")]
    [InlineData("\\A.B.C", "5C2F03415F5F5F425F5F5F435F5F5F")]
    public void A_path_has_segments_of_four_and_a_prefix_for_their_number(string path, string expected) =>
        Equal(expected, Aml.Reference(path));

    [Theory]
    [InlineData("TOOLONG")]
    [InlineData("A..B")]
    public void A_path_with_a_segment_of_another_length_is_an_error(string path) =>
        Assert.Throws<ArgumentException>(() => Aml.Reference(path));

    // The content is the buffer's size and its bytes; PkgLength counts itself, and its bytes grow at 2^6, 2^12 and 2^20.
    [Theory]
    [InlineData(60, "113F0A3C")] // 0x3F
    [InlineData(61, "1141040A3D")] // 0x41
    [InlineData(0xFFA, "114FFF0BFA0F")] // 0xFFF
    [InlineData(0xFFB, "118100010BFB0F")] // 0x1001
    [InlineData(0xF_FFF7, "118FFFFF0CF7FF0F00")] // 0xFFFFF
    [InlineData(0xF_FFF8, "11C10000010CF8FF0F00")] // 0x100001
    public void A_PkgLength_counts_its_own_bytes(int content, string head)
    {
        var bytes = Aml.Buffer(new byte[content]).Bytes.Span;
        Assert.Equal(head, Convert.ToHexString(bytes[..(head.Length / 2)]));
        Assert.Equal((head.Length / 2) + content, bytes.Length);
    }

    [Fact]
    public void A_package_of_more_than_255_elements_is_a_VarPackage()
    {
        var zeros = new AmlTerm[256];
        Array.Fill(zeros, Aml.Integer(0));
        Assert.Equal("124210FF", Convert.ToHexString(Aml.Package(zeros.AsSpan(1)).Bytes.Span[..4]));
        Assert.Equal("1345100B0001", Convert.ToHexString(Aml.Package(zeros).Bytes.Span[..6]));
    }

    [Fact]
    public void Objects_nest()
    {
        Equal("085F5549440A07", Aml.Name("_UID", Aml.Integer(7)));
        Equal("5B820B43303030085F55494400", Aml.Device("C000", Aml.Name("_UID", Aml.Integer(0))));
        Equal("100B5F53425F085F55494401", Aml.Scope("_SB", Aml.Name("_UID", Aml.Integer(1))));
        Equal("08414243440D486900", Aml.Name("ABCD", Aml.String("Hi")));
    }

    [Fact]
    public void Methods_and_statements_have_their_operands_in_order()
    {
        Equal("14085F4F53430CA46B", Aml.Method("_OSC", 4, Aml.Return(Aml.Arg(3))));
        Equal("A00593680043", Aml.If(Aml.Equal(Aml.Arg(0), Aml.Integer(0)), Raw()));
        Equal("A10243", Aml.Else(Raw()));
        Equal("92936901", Aml.NotEqual(Aml.Arg(1), Aml.Integer(1)));
        Equal("8A6B0A0843445733", Aml.CreateDWordField(Aml.Arg(3), 8, "CDW3"));
        Equal("7D434457310A1043445731", Aml.OrInto(Aml.Reference("CDW1"), Aml.Integer(16)));
        Equal("700043445733", Aml.Store(Aml.Integer(0), Aml.Reference("CDW3")));
    }

    [Fact]
    public void A_UUID_is_a_buffer_with_its_first_three_fields_little_endian() =>
        Equal("11130A105B4DDB33F71F1C4096577441C03DD766", Aml.Uuid("33DB4D5B-1FF7-401C-9657-7441C03DD766"));

    [Fact]
    public void Resource_descriptors_have_the_specifications_bytes()
    {
        Equal("221000", AmlResources.Irq(4));
        Equal("4701F803F8030108", AmlResources.Io(0x3F8, 8));
        Equal("86090001000000E000001000", AmlResources.Memory32Fixed(0xE000_0000, 0x10_0000));
        Equal("880D00020C00" + "00000000000000000100", AmlResources.WordBusNumber(0, 0));
        Equal("880D00010C030000000DFFFF000000F3", AmlResources.WordIo(0xD00, 0xFFFF));
        Equal("871700000C0100000000000000C0FFFFFFDF0000000000000020", AmlResources.DWordMemory(0xC000_0000, 0xDFFF_FFFF));
        Equal(
            "8A2B00000C01" + "0000000000000000" + "0000000001000000" + "FFFFFFFF01000000" + "0000000000000000" + "0000000001000000",
            AmlResources.QWordMemory(0x1_0000_0000, 0x1_FFFF_FFFF));
        Equal("110D0A0A4701700070000102" + "7900", AmlResources.Template(AmlResources.Io(0x70, 2)));
    }

    private static AmlTerm Raw() => new(new byte[] { 0x43 });

    private static void Equal(string hex, AmlTerm term) => Assert.Equal(hex, Convert.ToHexString(term.Bytes.Span));

    private static void Equal(string hex, AmlResource resource) => Assert.Equal(hex, Convert.ToHexString(resource.Bytes.Span));
}
