using System.Buffers.Binary;
using System.Text;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Smbios;
using Hatchway.Machine.Tests.Boot;

namespace Hatchway.Machine.Tests.Smbios;

/// <summary>The SMBIOS tables, found and walked as DSP0134 prescribes.</summary>
public sealed class SmbiosTablesTests
{
    private const int EntryPointLength = 0x1F;
    private static readonly Guid Uuid = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");

    private sealed record Structure(byte Type, ushort Handle, byte[] Fields, string[] Texts)
    {
        /// <summary>The text whose number a field holds.</summary>
        public string Text(int offset) => Fields[offset] == 0 ? "" : Texts[Fields[offset] - 1];
    }

    [Fact]
    public void The_entry_point_is_found_in_the_F_segment_and_both_its_sums_are_zero()
    {
        var memory = Write(Describe());

        var entry = FindEntryPoint(memory);

        Assert.Equal(0, (byte)entry.Sum(static value => value));
        Assert.Equal(0, (byte)entry[0x10..].Sum(static value => value));
        Assert.Equal("_DMI_", Encoding.ASCII.GetString(entry, 0x10, 5));
        Assert.Equal((2, 8), (entry[6], entry[7]));
    }

    [Fact]
    public void The_structures_are_as_many_and_as_long_as_the_entry_point_says_and_end_with_the_last()
    {
        var memory = Write(Describe(sockets: 2));
        var entry = FindEntryPoint(memory);

        var structures = Walk(memory, entry, out var length);

        Assert.Equal(BinaryPrimitives.ReadUInt16LittleEndian(entry.AsSpan(0x1C)), structures.Count);
        Assert.Equal(BinaryPrimitives.ReadUInt16LittleEndian(entry.AsSpan(0x16)), length);
        Assert.Equal([0, 1, 2, 3, 4, 4, 16, 17, 19, 32, 127], structures.Select(static structure => (int)structure.Type));
        Assert.Equal(structures.Count, structures.Select(static structure => structure.Handle).Distinct().Count());
    }

    [Fact]
    public void The_system_has_the_names_and_the_number_that_it_was_given()
    {
        var structures = Walk(Write(Describe()), out _);

        var system = structures.Single(static structure => structure.Type == 1);
        Assert.Equal(["maker", "product", "1.0", "serial", "", "family"], new[] { 4, 5, 6, 7, 0x19, 0x1A }.Select(system.Text));
        // The first three fields are little-endian (§7.2.1).
        Assert.Equal(Uuid, new Guid(system.Fields.AsSpan(8, 16)));
        Assert.Equal("vendor", structures[0].Text(4));
        var board = structures.Single(static structure => structure.Type == 2);
        Assert.Equal("slot", board.Text(0x0A));
        var chassis = structures.Single(static structure => structure.Type == 3);
        Assert.Equal(chassis.Handle, BinaryPrimitives.ReadUInt16LittleEndian(board.Fields.AsSpan(0x0B)));
    }

    [Fact]
    public void Memory_is_told_with_its_size_and_where_it_is()
    {
        var structures = Walk(Write(Describe(ram: 64ul << 30)), out _);

        var array = structures.Single(static structure => structure.Type == 16);
        Assert.Equal(64ul << 30, BinaryPrimitives.ReadUInt64LittleEndian(array.Fields.AsSpan(0x0F)));
        var device = structures.Single(static structure => structure.Type == 17);
        Assert.Equal(0x7FFF, BinaryPrimitives.ReadUInt16LittleEndian(device.Fields.AsSpan(0x0C)));
        Assert.Equal(64u << 10, BinaryPrimitives.ReadUInt32LittleEndian(device.Fields.AsSpan(0x1C)));
        var ranges = structures.Where(static structure => structure.Type == 19)
            .Select(static structure => (
                BinaryPrimitives.ReadUInt64LittleEndian(structure.Fields.AsSpan(0x0F)),
                BinaryPrimitives.ReadUInt64LittleEndian(structure.Fields.AsSpan(0x17))));
        Assert.Equal([(0ul, 0xBFFF_FFFFul), (1ul << 32, (65ul << 30) - 1)], ranges);
    }

    [Fact]
    public void The_most_processors_and_the_longest_texts_have_room()
    {
        var text = new string('x', SmbiosDescription.LongestText);
        var description = Describe(sockets: 255) with
        {
            Bios = new(text, text, text),
            System = new(text, text, text, text, text, text),
            Board = new(text, text, text, text, text, text),
            Chassis = new(text, text, text, text, text),
        };

        Assert.Equal(255, Walk(Write(description), out _).Count(static structure => structure.Type == 4));
    }

    private static SmbiosDescription Describe(int sockets = 1, ulong ram = 256 << 20) => new(Uuid, sockets, 2, 2, MemoryLayout.For(ram, 40))
    {
        Bios = new("vendor", "1", "12/31/2026"),
        System = new("maker", "product", "1.0", "serial", "", "family"),
        Board = new(Location: "slot"),
    };

    private static ArrayMemory Write(SmbiosDescription description)
    {
        var memory = new ArrayMemory(1 << 20);
        SmbiosTables.Write(description, memory);
        return memory;
    }

    // As §5.2.1 prescribes: on a 16-byte boundary from F0000h to FFFFFh.
    private static byte[] FindEntryPoint(ArrayMemory memory)
    {
        for (var at = 0xF_0000ul; at < 0x10_0000; at += 16)
        {
            if (memory.Slice(at, 4).SequenceEqual("_SM_"u8))
                return memory.Slice(at, EntryPointLength).ToArray();
        }
        throw new InvalidOperationException("no entry point");
    }

    private static List<Structure> Walk(ArrayMemory memory, out int length) => Walk(memory, FindEntryPoint(memory), out length);

    private static List<Structure> Walk(ArrayMemory memory, byte[] entry, out int length)
    {
        var start = BinaryPrimitives.ReadUInt32LittleEndian(entry.AsSpan(0x18));
        var bytes = memory.Slice(start, (int)(0x10_0000 - start)).ToArray();
        var structures = new List<Structure>();
        var at = 0;
        do
        {
            var fields = bytes[at..(at + bytes[at + 1])];
            at += fields.Length;
            var texts = new List<string>();
            for (int end; bytes[at] != 0; at = end + 1)
            {
                end = Array.IndexOf(bytes, (byte)0, at);
                texts.Add(Encoding.ASCII.GetString(bytes, at, end - at));
            }
            // Without a text there are two zeroes.
            at += texts.Count == 0 ? 2 : 1;
            structures.Add(new(fields[0], BinaryPrimitives.ReadUInt16LittleEndian(fields.AsSpan(2)), fields, [.. texts]));
        }
        while (structures[^1].Type != 127);
        length = at;
        return structures;
    }
}
