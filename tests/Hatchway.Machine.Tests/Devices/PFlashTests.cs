using Hatchway.Machine.Devices;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Devices;

public sealed class PFlashTests
{
    private const ulong Block = PFlash.BlockSize;
    private readonly FakeFlash _memory = new(4 * PFlash.BlockSize);
    private readonly PFlash _flash;

    public PFlashTests()
    {
        _memory.Bytes.AsSpan().Fill(0x5A);
        _flash = new PFlash(_memory);
    }

    [Fact]
    public void After_a_reset_the_content_is_memory()
    {
        Assert.True(_memory.IsShown);
        Assert.Equal(0x5A5A_5A5Aul, _flash.Read(Block, AccessWidth.Dword));
    }

    [Fact]
    public void Edk2_takes_it_for_flash_and_not_for_RAM()
    {
        // edk2's QemuFlashDetected: after Clear Status the command must not read back as data; then the status is zero.
        Command(0, 0x50);
        Assert.NotEqual(0x50ul, Byte(0));
        Command(0, 0x70);
        Assert.False(_memory.IsShown);
        Assert.Equal(0ul, Byte(0));
        Command(0, 0xFF);
        Assert.True(_memory.IsShown);
    }

    [Theory]
    [InlineData(0x10)]
    [InlineData(0x40)]
    public void A_byte_is_programmed_and_kept_at_once(int command)
    {
        Command(7, command);
        Assert.False(_memory.IsShown);
        Command(7, 0x21);
        Assert.Equal([(7, 1)], _memory.Kept);
        Assert.Equal(0x80ul, Byte(7));
        Command(7, 0xFF);
        Assert.Equal(0x21ul, Byte(7));
        Assert.Equal(0x5Aul, Byte(8));
    }

    [Fact]
    public void A_wide_write_programs_all_its_bytes()
    {
        Command(8, 0x40);
        _flash.Write(8, AccessWidth.Dword, 0x4433_2211);
        Command(8, 0xFF);
        Assert.Equal(0x4433_2211ul, _flash.Read(8, AccessWidth.Dword));
    }

    [Fact]
    public void A_block_is_erased_from_any_address_in_it_and_no_other_is()
    {
        Command(Block + 5, 0x20);
        Command(Block + 5, 0xD0);
        Assert.Equal(0x80ul, Byte(0));
        Command(0, 0xFF);
        Assert.Equal(0x5Aul, Byte(Block - 1));
        Assert.Equal(0xFFul, Byte(Block));
        Assert.Equal(0xFFul, Byte((2 * Block) - 1));
        Assert.Equal(0x5Aul, Byte(2 * Block));
        Assert.Equal([((int)Block, (int)Block)], _memory.Kept);
    }

    [Fact]
    public void An_erase_that_is_not_confirmed_is_an_error_and_changes_nothing()
    {
        Command(0, 0x20);
        Command(0, 0xFF);
        Assert.Equal(0xB0ul, Byte(0));
        Command(0, 0x50);
        Assert.Equal(0x5Aul, Byte(0));
        Assert.Empty(_memory.Kept);
    }

    [Fact]
    public void A_buffer_is_programmed_when_it_is_confirmed()
    {
        Command(Block, 0xE8);
        Command(Block, 1);
        Command(Block + 2, 0x11);
        Command(Block + 3, 0x22);
        Assert.Equal(0x5A, _memory.Bytes[Block + 2]);
        Command(Block, 0xD0);
        Command(Block, 0xFF);
        Assert.Equal(0x5A22_115Aul, _flash.Read(Block + 1, AccessWidth.Dword));
    }

    [Fact]
    public void A_buffer_never_crosses_its_blocks_end()
    {
        Command(0, 0xE8);
        Command(0, 0xFF);
        for (var i = 0ul; i <= 0xFF; i++)
            Command(Block - 1 + i, 0x11);
        Command(0, 0xD0);
        Command(0, 0xFF);
        Assert.Equal(0x11ul, Byte(Block - 1));
        Assert.Equal(0x5Aul, Byte(Block));
    }

    [Fact]
    public void A_query_finds_command_set_1_and_the_geometry()
    {
        Command(0x55, 0x98);
        Assert.Equal("QRY"u8.ToArray(), new[] { (byte)Byte(0x10), (byte)Byte(0x11), (byte)Byte(0x12) });
        Assert.Equal(1ul, _flash.Read(0x13, AccessWidth.Word));
        Assert.Equal(14ul, Byte(0x27));
        // The number of blocks less one, and their size in units of 256 bytes.
        Assert.Equal(3ul, _flash.Read(0x2D, AccessWidth.Word));
        Assert.Equal(16ul, _flash.Read(0x2F, AccessWidth.Word));
    }

    [Fact]
    public void What_the_file_does_not_take_is_an_error_for_the_guest()
    {
        _memory.KeepFails = true;
        Command(0, 0x40);
        Command(0, 1);
        Assert.Equal(0x90ul, Byte(0));
    }

    [Fact]
    public void No_sequence_of_writes_throws()
    {
        var random = new Random(1);
        ReadOnlySpan<byte> commands = [0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xD0, 0xE8, 0xF0, 0xFF];
        ReadOnlySpan<AccessWidth> widths = [AccessWidth.Byte, AccessWidth.Word, AccessWidth.Dword, AccessWidth.Qword];
        for (var i = 0; i < 200_000; i++)
        {
            var width = widths[random.Next(widths.Length)];
            var offset = (ulong)random.Next(_memory.Bytes.Length - (int)width + 1);
            var value = random.Next(2) == 0 ? commands[random.Next(commands.Length)] : (ulong)random.NextInt64();
            _flash.Write(offset, width, value & width.AllOnes());
            _flash.Read(offset, width);
        }
    }

    private ulong Byte(ulong offset) => _flash.Read(offset, AccessWidth.Byte);

    private void Command(ulong offset, int value) => _flash.Write(offset, AccessWidth.Byte, (ulong)value);

    private sealed class FakeFlash(int length) : IFlashMemory
    {
        public byte[] Bytes { get; } = new byte[length];

        public bool IsShown { get; private set; }

        public bool KeepFails { get; set; }

        public List<(int Offset, int Length)> Kept { get; } = [];

        public Span<byte> Content => Bytes;

        public void Show()
        {
            Assert.False(IsShown);
            IsShown = true;
        }

        public void Hide()
        {
            Assert.True(IsShown);
            IsShown = false;
        }

        public bool TryKeep(int offset, int length)
        {
            Assert.InRange(offset + length, 1, Bytes.Length);
            if (Kept.Count < 100)
                Kept.Add((offset, length));
            return !KeepFails;
        }
    }
}
