using Hatchway.Machine.Boot;

namespace Hatchway.Machine.Tests.Boot;

public sealed class PvhImageTests
{
    private readonly ArrayMemory _memory = new ArrayMemory(Loading.RamBytes).Filled(0xA5);
    private readonly ElfBuilder _image = new();

    [Fact]
    public void Segments_are_at_their_physical_addresses_with_their_BSS_zeroed()
    {
        Loading.Load(_image.Build(), _memory);
        Assert.Equal(-1, _memory.Slice(ElfBuilder.CodeAddress, ElfBuilder.CodeLength).IndexOfAnyExcept((byte)0xCC));
        Assert.Equal(-1, _memory.Slice(ElfBuilder.DataAddress, ElfBuilder.DataFileSize).IndexOfAnyExcept((byte)0xDD));
        var bss = _memory.Slice(ElfBuilder.DataAddress + ElfBuilder.DataFileSize, ElfBuilder.DataMemorySize - ElfBuilder.DataFileSize);
        Assert.Equal(-1, bss.IndexOfAnyExcept((byte)0));
        Assert.Equal(0xA5, _memory.UInt8(ElfBuilder.DataAddress + ElfBuilder.DataMemorySize));
    }

    [Fact]
    public void It_starts_at_the_notes_address_in_flat_32_bit_mode()
    {
        var state = Loading.Load(_image.Build(), _memory);
        Assert.Equal((CpuMode.Protected32, _image.Entry, 0ul), (state.Mode, state.EntryPoint, state.PageTable));
        // 4 KiB granularity (bit 55), 32-bit default size (bit 54), no long mode (bit 53), limit 0xFFFFF.
        var code = _memory.UInt64(state.GdtBase + state.CodeSelector);
        Assert.Equal(6ul, (code >> 53) & 7);
        Assert.Equal(0xF_FFFFul, (code & 0xFFFF) | ((code >> 32) & 0xF_0000));
        // The TSS has base 0 and limit 0x67 (Xen docs/misc/pvh.pandoc).
        Assert.Equal(0x0000_8B00_0000_0067ul, _memory.UInt64(state.GdtBase + state.TaskSelector));
    }

    [Fact]
    public void The_entry_may_be_a_4_byte_number()
    {
        _image.NoteValue = [0x20, 0, 0x20, 0];
        Assert.Equal(0x20_0020ul, Loading.Load(_image.Build(), _memory).EntryPoint);
    }

    [Fact]
    public void The_start_info_points_to_command_line_RSDP_initrd_and_memory_map()
    {
        byte[] initrd = [1, 2, 3, 4, 5];
        var info = Loading.Load(_image.Build(), _memory, initrd, "quiet").Rbx;
        Assert.Equal(0x336E_C578u, _memory.UInt32(info));
        Assert.Equal(1u, _memory.UInt32(info + 4));
        Assert.Equal(0u, _memory.UInt32(info + 8));
        Assert.Equal("quiet", _memory.Text(_memory.UInt64(info + 24)));
        Assert.Equal(Loading.Rsdp, _memory.UInt64(info + 32));

        Assert.Equal(1u, _memory.UInt32(info + 12));
        var module = _memory.UInt64(info + 16);
        Assert.Equal((ulong)initrd.Length, _memory.UInt64(module + 8));
        Assert.True(_memory.Slice(_memory.UInt64(module), initrd.Length).SequenceEqual(initrd));
        Assert.Equal(0ul, _memory.UInt64(module + 16));

        var map = _memory.UInt64(info + 40);
        Assert.Equal((uint)MemoryMap.For(Loading.Layout).Count, _memory.UInt32(info + 48));
        Assert.Equal((0ul, 0x9_FC00ul), (_memory.UInt64(map), _memory.UInt64(map + 8)));
        Assert.Equal((1u, 0u), (_memory.UInt32(map + 16), _memory.UInt32(map + 20)));
        Assert.Equal((0x9_FC00ul, 2u), (_memory.UInt64(map + 24), _memory.UInt32(map + 40)));
    }

    [Fact]
    public void Without_an_initrd_there_is_no_module()
    {
        var info = Loading.Load(_image.Build(), _memory).Rbx;
        Assert.Equal((0u, 0ul), (_memory.UInt32(info + 12), _memory.UInt64(info + 16)));
    }

    [Fact]
    public void An_image_without_the_note_is_refused()
    {
        _image.NoteType = 17;
        Assert.Contains("PVH entry", Loading.Refusal(_image.Build()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ElfBuilder.CodeAddress - 1)]
    [InlineData(ElfBuilder.CodeAddress + ElfBuilder.CodeLength)]
    [InlineData(ElfBuilder.DataAddress + ElfBuilder.DataFileSize)]
    [InlineData(ulong.MaxValue)]
    public void An_entry_outside_of_what_was_loaded_is_refused(ulong entry)
    {
        _image.Entry = entry;
        Assert.Contains("in none of its segments", Loading.Refusal(_image.Build()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(24, 0x1000ul)] // physical address
    [InlineData(24, 0xFFFF_FFFF_FFFF_F000ul)]
    [InlineData(40, 0xFFFF_FFFF_FFFF_FFFFul)] // size in memory
    [InlineData(32, 0xFFFF_FFFF_FFFF_FFFFul)] // size in the file
    [InlineData(32, 0x101ul)]
    [InlineData(8, 0xFFFF_FFFF_FFFF_FFFFul)] // offset in the file
    public void A_segment_that_lies_about_itself_is_refused(int field, ulong value)
    {
        var image = _image.Build();
        BitConverter.TryWriteBytes(image.AsSpan(64 + 56 + field), value);
        Assert.StartsWith("vmlinuz: ", Loading.Refusal(image), StringComparison.Ordinal);
    }

    [Fact]
    public void A_truncated_image_is_refused_before_anything_is_written()
    {
        var image = _image.Build();
        Assert.Throws<BootException>(() => Loading.Load(image[..^1], _memory));
        Assert.Equal(-1, _memory.Slice(0, Loading.RamBytes).IndexOfAnyExcept((byte)0xA5));
    }

    [Fact]
    public void Another_machines_image_is_refused()
    {
        var image = _image.Build();
        image[18] = 183;
        Assert.Contains("x86-64", Loading.Refusal(image), StringComparison.Ordinal);
    }
}
