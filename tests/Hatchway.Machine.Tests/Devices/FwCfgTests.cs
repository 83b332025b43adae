using System.Buffers.Binary;
using System.Text;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Tests.Boot;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Devices;

public sealed class FwCfgTests
{
    private const int MemoryLength = 0x1_0000;
    private const ulong Request = 0x100;
    private const uint Read = 2, Skip = 4, Select = 8, Write = 16;
    private readonly ArrayMemory _memory = new ArrayMemory(MemoryLength).Filled(0xA5);
    private readonly FwCfg _config;

    public FwCfgTests()
    {
        _config = new FwCfg(_memory);
        _config.Add("opt/second", "two"u8.ToArray());
        _config.Add("etc/first", "one!"u8.ToArray());
    }

    [Fact]
    public void It_says_who_it_is_by_both_interfaces()
    {
        Assert.Equal("QEMU"u8.ToArray(), ReadItem(0, 4));
        Assert.Equal([3, 0, 0, 0], ReadItem(1, 4));
        Assert.Equal(0x5145_4D55ul, BinaryPrimitives.ReverseEndianness((uint)_config.Read(4, AccessWidth.Dword)));
        Assert.Equal(0x2043_4647ul, BinaryPrimitives.ReverseEndianness((uint)_config.Read(8, AccessWidth.Dword)));
    }

    [Fact]
    public void The_directory_leads_to_the_files()
    {
        Assert.Equal("two", Encoding.ASCII.GetString(ReadItem(Find("opt/second", out var length), (int)length)));
        Assert.Equal("one!", Encoding.ASCII.GetString(ReadItem(Find("etc/first", out length), (int)length)));
    }

    [Fact]
    public void What_is_past_the_end_or_not_there_reads_as_zero()
    {
        Assert.Equal("two\0\0"u8.ToArray(), ReadItem(Find("opt/second", out _), 5));
        Assert.Equal([0, 0], ReadItem(0x3FFF, 2));
    }

    [Fact]
    public void DMA_selects_skips_and_reads()
    {
        var key = Find("etc/first", out _);
        Assert.Equal(0u, Transfer(Select | Skip | ((uint)key << 16), 1, 0));
        Assert.Equal(0u, Transfer(Read, 5, 0x200));
        Assert.Equal("ne!\0\0"u8.ToArray(), _memory.Slice(0x200, 5).ToArray());
        Assert.Equal(0xA5, _memory.UInt8(0x205));
    }

    [Fact]
    public void No_item_can_be_written()
    {
        var key = Find("etc/first", out _);
        Assert.Equal(1u, Transfer(Select | Write | ((uint)key << 16), 4, 0x200));
        _config.Write(1, AccessWidth.Byte, 0xFF);
        Assert.Equal("one!"u8.ToArray(), ReadItem(key, 4));
    }

    [Theory]
    [InlineData(0x1000ul, MemoryLength - 4ul)]
    [InlineData(0x1000ul, ulong.MaxValue)]
    [InlineData(0xFFFF_FFFFul, 0x200ul)]
    [InlineData(0x8000_0000ul, 0ul)]
    [InlineData(MemoryLength + 1ul, 0ul)]
    public void A_transfer_that_does_not_lie_in_RAM_is_an_error_and_writes_nothing(ulong length, ulong target)
    {
        Assert.Equal(1u, Transfer(Read | Select, (uint)length, target));
        Assert.Equal(0xA5, _memory.UInt8(0x200));
        Assert.Equal(0xA5, _memory.UInt8(MemoryLength - 1));
    }

    [Theory]
    [InlineData(MemoryLength - 8ul)]
    [InlineData(MemoryLength + 0ul)]
    [InlineData(ulong.MaxValue)]
    [InlineData(ulong.MaxValue - 7)]
    public void A_request_that_does_not_lie_in_RAM_is_dropped(ulong request)
    {
        Start(request);
        Assert.Equal(0xA5, _memory.UInt8(MemoryLength - 1));
    }

    [Fact]
    public void An_answer_may_lie_over_its_own_request()
    {
        Assert.Equal(0u, Transfer(Read | Select, 64, Request - 8));
    }

    [Fact]
    public void Skips_beyond_every_end_do_no_harm()
    {
        var key = (uint)Find("etc/first", out _);
        Transfer(Select | (key << 16), 0, 0);
        for (var i = 0; i < 10; i++)
            Assert.Equal(0u, Transfer(Skip, uint.MaxValue, 0));
        Assert.Equal(0u, Transfer(Read, 4, 0x200));
        Assert.Equal(0u, _memory.UInt32(0x200));
    }

    [Fact]
    public void Any_access_of_any_width_is_answered()
    {
        foreach (var width in (ReadOnlySpan<AccessWidth>)[AccessWidth.Byte, AccessWidth.Word, AccessWidth.Dword])
        {
            for (var offset = 0ul; offset + (ulong)width <= FwCfg.PortCount; offset++)
            {
                _config.Write(offset, width, width.AllOnes());
                _config.Read(offset, width);
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("with space")]
    [InlineData("ünicode")]
    [InlineData("a/name/that/has/fifty-six/characters/which/is/one/more/x")]
    public void A_name_that_does_not_fit_is_refused(string name) =>
        Assert.Throws<ArgumentException>(() => _config.Add(name, []));

    private ushort Find(string name, out uint length)
    {
        var count = BinaryPrimitives.ReadUInt32BigEndian(ReadItem(0x19, 4));
        var directory = ReadItem(0x19, 4 + (64 * (int)count)).AsSpan(4);
        for (; !directory.IsEmpty; directory = directory[64..])
        {
            if (Encoding.ASCII.GetString(directory[8..64]).TrimEnd('\0') != name)
                continue;
            length = BinaryPrimitives.ReadUInt32BigEndian(directory);
            return BinaryPrimitives.ReadUInt16BigEndian(directory[4..]);
        }
        throw new KeyNotFoundException(name);
    }

    private byte[] ReadItem(ushort key, int length)
    {
        _config.Write(0, AccessWidth.Word, key);
        var bytes = new byte[length];
        for (var i = 0; i < length; i++)
            bytes[i] = (byte)_config.Read(1, AccessWidth.Byte);
        return bytes;
    }

    private uint Transfer(uint control, uint length, ulong target)
    {
        var request = _memory.Slice(Request, 16);
        BinaryPrimitives.WriteUInt32BigEndian(request, control);
        BinaryPrimitives.WriteUInt32BigEndian(request[4..], length);
        BinaryPrimitives.WriteUInt64BigEndian(request[8..], target);
        Start(Request);
        return BinaryPrimitives.ReadUInt32BigEndian(request);
    }

    private void Start(ulong request)
    {
        _config.Write(4, AccessWidth.Dword, BinaryPrimitives.ReverseEndianness((uint)(request >> 32)));
        _config.Write(8, AccessWidth.Dword, BinaryPrimitives.ReverseEndianness((uint)request));
    }
}
