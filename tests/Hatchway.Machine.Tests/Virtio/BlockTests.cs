using System.Buffers.Binary;
using System.Text;
using Hatchway.Machine.Virtio;
using Hatchway.Machine.Virtio.Devices;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>The disk (VIRTIO 1.2 §5.2), used by a driver.</summary>
public sealed class BlockTests : IDisposable
{
    private const ulong Request = 0x2_0000;
    private const ulong Status = 0x2_0100;
    private const ulong Data = 0x2_1000;
    private const ulong Flush = 1 << 9;
    private const ulong Discard = 1 << 13;
    private const ulong WriteZeroes = 1 << 14;

    private readonly MemoryStorage _storage = new(64 * 512);
    private readonly Driver _driver;

    public BlockTests()
    {
        _driver = new Driver(memory =>
        {
            _storage.Memory = memory;
            return new VirtioBlock(memory, _storage, "a disk", 1);
        });
        _driver.Start(new DriverOptions(), Flush);
    }

    public void Dispose() => _driver.Dispose();

    [Fact]
    public void It_says_how_large_it_is()
    {
        Assert.Equal(64ul, _driver.Window.Read(_driver.At(4), AccessWidth.Qword));
        Assert.Equal(512ul, _driver.Window.Read(_driver.At(4) + 20, AccessWidth.Dword));
        // 4096 bytes are 2^3 logical blocks.
        Assert.Equal(3ul, _driver.Window.Read(_driver.At(4) + 24, AccessWidth.Byte));
        Assert.Equal(Flush | Discard | WriteZeroes, _driver.DeviceFeatures & (Flush | Discard | WriteZeroes | (1 << 5)));
    }

    [Fact]
    public void What_is_written_is_read_however_the_request_is_cut()
    {
        var text = new byte[1024];
        Random.Shared.NextBytes(text);
        text.CopyTo(_driver.Memory.Slice(Data, text.Length));
        WriteHeader(1, 5);
        // The header is in two pieces, the second of which also has the first of the data.
        _driver.Memory.Slice(Request + 8, 8).CopyTo(_driver.Memory.Slice(Data - 8, 8));
        Assert.Equal(0, Ask(new Piece(Request, 8, false), new Piece(Data - 8, 8 + 100, false), new Piece(Data + 100, 924, false)));
        Assert.Equal(text, _storage.Content.AsSpan(5 * 512, 1024).ToArray());

        WriteHeader(0, 5);
        // The status shares a piece with the last of the data.
        Assert.Equal(0, Ask(
            status: Data + 0x2000 + 1024,
            new Piece(Request, 16, false), new Piece(Data + 0x2000, 1000, true), new Piece(Data + 0x2000 + 1000, 25, true)));
        Assert.Equal(text, _driver.Memory.Slice(Data + 0x2000, 1024).ToArray());
    }

    [Theory]
    [InlineData(0, 64, 512)]
    [InlineData(0, 63, 1024)]
    [InlineData(0, 0, 100)]
    [InlineData(0, long.MaxValue, 512)]
    [InlineData(1, 64, 512)]
    [InlineData(1, -1, 512)]
    public void What_is_not_on_the_disk_is_an_error(uint type, long sector, uint length)
    {
        WriteHeader(type, (ulong)sector);

        Assert.Equal(1, Ask(new Piece(Request, 16, false), new Piece(Data, length, type == 0), StatusByte));
        Assert.All(_storage.Content, static value => Assert.Equal(0xEE, value));
    }

    [Fact]
    public void A_request_that_failed_has_written_its_status_and_says_so_in_a_packed_ring()
    {
        const ushort write = 2;
        _driver.Start(new DriverOptions(Packed: true), Flush);
        WriteHeader(0, 64);

        Assert.Equal(1, Ask(new Piece(Request, 16, false), new Piece(Data, 512, true), StatusByte));
        // The length and the flags of the used descriptor (§2.8.3, §2.8.4).
        Assert.Equal(0u, _driver.Memory.UInt32(DriverRing.Descriptors + 8));
        Assert.Equal(write, _driver.Memory.UInt16(DriverRing.Descriptors + 14) & write);
    }

    [Fact]
    public void A_request_that_is_not_known_is_unsupported()
    {
        WriteHeader(77, 0);

        Assert.Equal(2, Ask(new Piece(Request, 16, false), StatusByte));
    }

    [Fact]
    public void A_flush_reaches_the_storage_and_its_failure_the_driver()
    {
        WriteHeader(4, 0);
        Assert.Equal(0, Ask(new Piece(Request, 16, false), StatusByte));
        Assert.Equal(1, _storage.Flushes);

        _storage.IsBroken = true;
        Assert.Equal(1, Ask(new Piece(Request, 16, false), StatusByte));
    }

    [Fact]
    public void A_driver_that_does_not_flush_has_every_write_flushed()
    {
        _driver.Start(new DriverOptions());
        WriteHeader(1, 0);

        Assert.Equal(0, Ask(new Piece(Request, 16, false), new Piece(Data, 512, false), StatusByte));
        Assert.Equal(1, _storage.Flushes);
    }

    [Fact]
    public void It_has_a_name()
    {
        WriteHeader(8, 0);

        Assert.Equal(0, Ask(new Piece(Request, 16, false), new Piece(Data, 20, true), StatusByte));
        Assert.Equal("a disk", Encoding.ASCII.GetString(_driver.Memory.Slice(Data, 20)).TrimEnd('\0'));
    }

    [Theory]
    [InlineData(11, 0, 0, "discard 1024 2048")]
    [InlineData(13, 0, 0, "zero 1024 2048 False")]
    [InlineData(13, 1, 0, "zero 1024 2048 True")]
    [InlineData(11, 1, 2, "")]
    [InlineData(13, 2, 2, "")]
    public void Ranges_are_given_back_and_zeroed(uint type, uint flags, byte status, string done)
    {
        WriteHeader(type, 0);
        WriteRange(2, 4, flags);

        Assert.Equal(status, Ask(new Piece(Request, 16, false), new Piece(Data, 16, false), StatusByte));
        Assert.Equal(done, string.Join(';', _storage.Log));
    }

    [Fact]
    public void One_request_changes_one_range()
    {
        WriteHeader(13, 0);

        Assert.Equal(1, Ask(new Piece(Request, 16, false), new Piece(Data, 32, false), StatusByte));
        Assert.Empty(_storage.Log);
        foreach (var ranges in new[] { 40u, 52u })
            Assert.Equal(1ul, _driver.Window.Read(_driver.At(4) + ranges, AccessWidth.Dword));
    }

    [Theory]
    [InlineData(62, 4)]
    [InlineData(0, 0xFFFF_FFFF)]
    [InlineData(-1, 4)]
    public void Ranges_beyond_the_disk_are_an_error(long sector, uint sectors)
    {
        WriteHeader(13, 0);
        WriteRange((ulong)sector, sectors, 0);

        Assert.Equal(1, Ask(new Piece(Request, 16, false), new Piece(Data, 16, false), StatusByte));
        Assert.Empty(_storage.Log);
    }

    [Fact]
    public void A_disk_that_is_read_only_says_so_and_is_not_written()
    {
        var storage = new MemoryStorage(512) { IsReadOnly = true };
        using var driver = new Driver(memory =>
        {
            storage.Memory = memory;
            return new VirtioBlock(memory, storage, "", 1);
        });
        driver.Start(new DriverOptions());
        Assert.Equal(1ul << 5, driver.DeviceFeatures & ((1 << 5) | Discard | WriteZeroes));
        BinaryPrimitives.WriteUInt32LittleEndian(driver.Memory.Slice(Request, 4), 1);

        driver.Ring.Offer(false, new Piece(Request, 16, false), new Piece(Data, 512, false), StatusByte);
        driver.Notify();

        Assert.Equal(1, driver.Memory.UInt8(Status));
    }

    [Fact]
    public void A_hundred_thousand_reads_and_writes_allocate_nothing()
    {
        Allocations.AssertNone(i =>
        {
            WriteHeader((uint)i & 1, (ulong)(i & 63));
            _driver.Ring.Offer(true, new Piece(Request, 16, false), new Piece(Data, 512, (i & 1) == 0), StatusByte);
            _driver.Notify();
            Assert.True(_driver.Ring.TryTake(out _, out _));
        }, 100_000);
    }

    private static Piece StatusByte => new(Status, 1, true);

    private byte Ask(params ReadOnlySpan<Piece> pieces) => Ask(Status, pieces);

    private byte Ask(ulong status, params ReadOnlySpan<Piece> pieces)
    {
        if (!pieces[^1].IsWritable)
            pieces = [.. pieces, StatusByte];
        _driver.Memory.Slice(status, 1)[0] = 0xAA;
        _driver.Ring.Offer(pieces.Length > 4, pieces);
        _driver.Notify();
        Assert.True(_driver.Ring.TryTake(out _, out _));
        return _driver.Memory.UInt8(status);
    }

    private void WriteHeader(uint type, ulong sector)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_driver.Memory.Slice(Request, 4), type);
        BinaryPrimitives.WriteUInt64LittleEndian(_driver.Memory.Slice(Request + 8, 8), sector);
    }

    private void WriteRange(ulong sector, uint sectors, uint flags)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_driver.Memory.Slice(Data, 8), sector);
        BinaryPrimitives.WriteUInt32LittleEndian(_driver.Memory.Slice(Data + 8, 4), sectors);
        BinaryPrimitives.WriteUInt32LittleEndian(_driver.Memory.Slice(Data + 12, 4), flags);
    }

    private sealed class MemoryStorage(int length) : IBlockStorage
    {
        public byte[] Content { get; } = Filled(length);

        public QueueMemory Memory { get; set; } = null!;

        public List<string> Log { get; } = [];

        public int Flushes { get; private set; }

        public bool IsBroken { get; set; }

        public ulong Length => (ulong)length;

        public bool IsReadOnly { get; init; }

        public uint LogicalBlock => 512;

        public uint PhysicalBlock => 4096;

        public bool CanDiscard => true;

        public bool TryRead(ulong offset, ReadOnlySpan<GuestRange> target)
        {
            foreach (var range in target)
            {
                Content.AsSpan((int)offset, (int)range.Length).CopyTo(Memory.Slice(range.Address, (int)range.Length));
                offset += range.Length;
            }
            return !IsBroken;
        }

        public bool TryWrite(ulong offset, ReadOnlySpan<GuestRange> source)
        {
            foreach (var range in source)
            {
                Memory.Slice(range.Address, (int)range.Length).CopyTo(Content.AsSpan((int)offset));
                offset += range.Length;
            }
            return !IsBroken;
        }

        public bool TryFlush()
        {
            Flushes++;
            return !IsBroken;
        }

        public bool TryDiscard(ulong offset, ulong length)
        {
            Log.Add($"discard {offset} {length}");
            return !IsBroken;
        }

        public bool TryWriteZeroes(ulong offset, ulong length, bool mayDiscard)
        {
            Log.Add($"zero {offset} {length} {mayDiscard}");
            return !IsBroken;
        }

        private static byte[] Filled(int length)
        {
            var bytes = new byte[length];
            bytes.AsSpan().Fill(0xEE);
            return bytes;
        }
    }
}
