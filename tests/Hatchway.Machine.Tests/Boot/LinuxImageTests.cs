using Hatchway.Machine.Boot;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Tests.Boot;

public sealed class LinuxImageTests
{
    private readonly ArrayMemory _memory = new ArrayMemory(Loading.RamBytes).Filled(0xA5);
    private readonly BzImageBuilder _image = new();

    [Fact]
    public void The_kernel_is_at_its_preferred_address_and_starts_512_bytes_into_it()
    {
        var state = Loading.Load(_image.Build(), _memory);
        Assert.Equal(CpuMode.Long64, state.Mode);
        Assert.Equal(_image.PreferredAddress + 0x200, state.EntryPoint);
        Assert.True(_memory.Slice(_image.PreferredAddress, _image.Payload.Length).SequenceEqual(_image.Payload));
        Assert.Equal((uint)_image.PreferredAddress, _memory.UInt32(state.Rsi + 0x214));
    }

    [Theory]
    [InlineData(0x100_0000ul, 0x20_0000u, 0x100_0000ul)]
    [InlineData(0ul, 0x20_0000u, 0x20_0000ul)]
    [InlineData(0x10_0001ul, 0x1000u, 0x10_1000ul)]
    public void A_relocatable_kernel_is_aligned_upwards_and_kept_out_of_the_legacy_area(ulong preferred, uint alignment, ulong expected)
    {
        (_image.PreferredAddress, _image.Alignment) = (preferred, alignment);
        Assert.Equal(expected + 0x200, Loading.Load(_image.Build(), _memory).EntryPoint);
    }

    [Fact]
    public void A_kernel_that_can_not_move_is_refused_below_1_MiB()
    {
        (_image.PreferredAddress, _image.Relocatable) = (0x1_0000, false);
        Assert.Contains("below 1 MiB", Loading.Refusal(_image.Build()), StringComparison.Ordinal);
    }

    [Fact]
    public void The_zero_page_has_the_kernels_header_and_zeros_around_it()
    {
        var image = _image.Build();
        var state = Loading.Load(image, _memory);
        // The header is copied up to 0x202 plus the byte at 0x201; the loader's fields lie from 0x210 to 0x22C.
        Assert.True(_memory.Slice(state.Rsi + 0x22C, 0x40).SequenceEqual(image.AsSpan(0x22C, 0x40)));
        Assert.Equal(0x020F, _memory.UInt16(state.Rsi + 0x206));
        Assert.Equal(0xFF, _memory.UInt8(state.Rsi + 0x210));
        Assert.Equal(0, _memory.UInt8(state.Rsi + 0x1EF));
        Assert.Equal(-1, _memory.Slice(state.Rsi + 0x26C, 0x24).IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, _memory.Slice(state.Rsi, 0x70).IndexOfAnyExcept((byte)0));
        Assert.Equal(Loading.Rsdp, _memory.UInt64(state.Rsi + 0x70));
    }

    [Fact]
    public void A_header_that_claims_to_be_longer_than_the_zero_page_has_room_for_is_cut()
    {
        var image = _image.Build();
        image[0x201] = 0xFF;
        image.AsSpan(0x290, 0x70).Fill(0xEE);
        var state = Loading.Load(image, _memory);
        Assert.Equal(-1, _memory.Slice(state.Rsi + 0x290, 0x40).IndexOf((byte)0xEE));
    }

    [Fact]
    public void The_command_line_is_zero_terminated_where_the_zero_page_says()
    {
        var state = Loading.Load(_image.Build(), _memory, commandLine: "console=ttyS0 name=Zoë");
        Assert.Equal("console=ttyS0 name=Zoë", _memory.Text(_memory.UInt32(state.Rsi + 0x228)));
    }

    [Fact]
    public void A_command_line_may_have_as_many_bytes_as_the_kernel_takes_and_no_more()
    {
        _image.CommandLineSize = 10;
        Loading.Load(_image.Build(), _memory, commandLine: "0123456789");
        const string Refusal = "11 bytes, and this kernel takes 10";
        Assert.Contains(Refusal, Loading.Refusal(_image.Build(), commandLine: "0123456789x"), StringComparison.Ordinal);
        Assert.Contains(Refusal, Loading.Refusal(_image.Build(), commandLine: "012345678ë"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_zero_in_the_command_line_is_refused() =>
        Assert.Contains("zero character", Loading.Refusal(_image.Build(), commandLine: "a\0b"), StringComparison.Ordinal);

    [Theory]
    [InlineData(5000, 0x7FFF_FFFFu, Loading.RamBytes - 0x2000)]
    [InlineData(4096, 0x7FFF_FFFFu, Loading.RamBytes - 0x1000)]
    [InlineData(4096, 0x01FF_FFFFu, 0x1FF_F000)]
    [InlineData(4096, 0x01FF_FFFEu, 0x1FF_E000)]
    [InlineData(4096, 0xFFFF_FFFFu, Loading.RamBytes - 0x1000)]
    public void The_initrd_is_page_aligned_at_the_top_of_what_the_kernel_can_reach(int length, uint addressMax, int expected)
    {
        _image.RamdiskAddressMax = addressMax;
        var initrd = BzImageBuilder.MakePayload(length);
        var state = Loading.Load(_image.Build(), _memory, initrd);
        Assert.Equal((uint)expected, _memory.UInt32(state.Rsi + 0x218));
        Assert.Equal((uint)length, _memory.UInt32(state.Rsi + 0x21C));
        Assert.True(_memory.Slice((ulong)expected, length).SequenceEqual(initrd));
    }

    [Fact]
    public void An_initrd_larger_than_a_read_arrives_whole()
    {
        var initrd = BzImageBuilder.MakePayload((9 << 20) + 3);
        var state = Loading.Load(_image.Build(), _memory, initrd);
        Assert.True(_memory.Slice(_memory.UInt32(state.Rsi + 0x218), initrd.Length).SequenceEqual(initrd));
    }

    [Fact]
    public void An_initrd_may_touch_the_kernels_memory_and_not_overlap_it()
    {
        var end = (int)_image.PreferredAddress + (int)_image.InitialSize;
        Loading.Load(_image.Build(), _memory, new byte[Loading.RamBytes - end]);
        Assert.Contains("no room", Loading.Refusal(_image.Build(), new byte[Loading.RamBytes - end + 1]), StringComparison.Ordinal);
        Assert.StartsWith("initrd.img: ", Loading.Refusal(_image.Build(), new byte[Loading.RamBytes]), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_an_initrd_the_zero_page_has_none()
    {
        var state = Loading.Load(_image.Build(), _memory);
        Assert.Equal(0u, _memory.UInt32(state.Rsi + 0x218));
        Assert.Equal(0u, _memory.UInt32(state.Rsi + 0x21C));
    }

    [Fact]
    public void An_empty_initrd_is_refused() => Assert.Contains("empty", Loading.Refusal(_image.Build(), []), StringComparison.Ordinal);

    [Fact]
    public void A_kernel_that_needs_more_memory_than_there_is_is_refused_with_the_numbers()
    {
        _image.InitialSize = Loading.RamBytes - (16 << 20);
        Loading.Load(_image.Build(), _memory);
        _image.InitialSize++;
        Assert.Contains("0x3000001 bytes of RAM at 0x1000000", Loading.Refusal(_image.Build()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_protocol_before_2_12_is_refused()
    {
        _image.Version = 0x020B;
        Assert.Contains("2.11", Loading.Refusal(_image.Build()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_kernel_without_a_64_bit_entry_is_refused()
    {
        _image.ExtendedLoadFlags &= 0xFFFE;
        Assert.Contains("XLF_KERNEL_64", Loading.Refusal(_image.Build()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(0x30_0000u)]
    public void An_alignment_that_is_no_power_of_two_is_refused(uint alignment)
    {
        _image.Alignment = alignment;
        Assert.Contains("not a power of two", Loading.Refusal(_image.Build()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_truncated_kernel_is_refused()
    {
        var image = _image.Build();
        Assert.Contains("damaged", Loading.Refusal(image[..^16]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_kernel_is_refused_by_name()
    {
        Assert.StartsWith("vmlinuz: neither a Linux bzImage", Loading.Refusal("#!/bin/sh\n"u8.ToArray()), StringComparison.Ordinal);
        Assert.StartsWith("vmlinuz: neither a Linux bzImage", Loading.Refusal([]), StringComparison.Ordinal);
    }

    [Fact]
    public void Less_than_2_MiB_of_RAM_is_refused() => Assert.Throws<BootException>(
        () => Loading.Load(_image.Build(), _memory, MemoryLayout.For(1 << 20, 46)));

    [Fact]
    public void The_page_tables_map_the_first_4_GiB_to_themselves()
    {
        var state = Loading.Load(_image.Build(), _memory);
        for (var address = 0ul; address < 1ul << 32; address += 0x1F_F000)
            Assert.Equal(address, Translate(state.PageTable, address));
        Assert.Null(Translate(state.PageTable, 1ul << 32));
    }

    [Fact]
    public void The_descriptor_table_holds_what_the_selectors_promise()
    {
        var state = Loading.Load(_image.Build(), _memory);
        // Linux Documentation/arch/x86/boot.rst: __BOOT_CS 0x10, __BOOT_DS 0x18; long mode (bit 53) set and default size (bit 54) clear.
        Assert.Equal((0x10, 0x18), (state.CodeSelector, state.DataSelector));
        var code = _memory.UInt64(state.GdtBase + state.CodeSelector);
        Assert.Equal(1ul, (code >> 53) & 3);
        Assert.Equal(0x9Bul, (code >> 40) & 0xFF);
        Assert.Equal(0x93ul, (_memory.UInt64(state.GdtBase + state.DataSelector) >> 40) & 0xFF);
        Assert.Equal(0x8Bul, (_memory.UInt64(state.GdtBase + state.TaskSelector) >> 40) & 0xFF);
        Assert.Equal(state.TaskSelector + 15, state.GdtLimit);
    }

    private ulong? Translate(ulong root, ulong address)
    {
        var table = root;
        for (var shift = 39; shift >= 21; shift -= 9)
        {
            var entry = _memory.UInt64(table + (((address >> shift) & 511) * 8));
            if ((entry & 3) != 3)
                return null;
            if ((entry & 0x80) != 0)
                return (entry & ~((1ul << shift) - 1)) | (address & ((1ul << shift) - 1));
            table = entry & ~0xFFFul;
        }
        return null;
    }
}
