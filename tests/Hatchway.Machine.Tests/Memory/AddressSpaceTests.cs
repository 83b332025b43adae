using Hatchway.Machine.Memory;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Memory;

public sealed class AddressSpaceTests
{
    private readonly AddressSpace _space = new(0x1_0000);

    [Fact]
    public void A_target_sees_offsets_from_its_own_start()
    {
        var target = new BytesTarget(16);
        _space.Map(0x100, 16, target);
        Assert.Equal(0x0B0A_0908ul, _space.Read(0x108, AccessWidth.Dword));
        _space.Write(0x10F, AccessWidth.Byte, 0xAB);
        Assert.Equal(0xAB, target.Bytes[15]);
    }

    [Theory]
    [InlineData(0xFFul)]
    [InlineData(0x110ul)]
    [InlineData(0xFFFFul)]
    [InlineData(0x1_0000ul)]
    [InlineData(ulong.MaxValue)]
    public void Where_nothing_answers_reads_are_all_ones_and_counted(ulong address)
    {
        _space.Map(0x100, 16, new BytesTarget(16));
        Assert.Equal(0xFFul, _space.Read(address, AccessWidth.Byte));
        _space.Write(address, AccessWidth.Byte, 1);
        Assert.Equal(2, _space.Unclaimed);
    }

    [Fact]
    public void A_moved_target_answers_at_its_new_place_only()
    {
        var target = new BytesTarget(16, first: 0x40);
        _space.Map(0x100, 16, target);
        Assert.True(_space.Unmap(target));
        _space.Map(0x8000, 16, target);
        Assert.Equal(0xFFul, _space.Read(0x100, AccessWidth.Byte));
        Assert.Equal(0x40ul, _space.Read(0x8000, AccessWidth.Byte));
    }

    [Fact]
    public void The_higher_priority_answers_and_what_it_hid_comes_back()
    {
        var below = new ConstantTarget(1);
        var above = new ConstantTarget(2);
        _space.Map(0x100, 0x100, below);
        _space.Map(0x180, 0x10, above, priority: 1);
        Assert.Equal([1, 2, 1], Bytes(0x17F, 0x18F, 0x190));
        _space.Unmap(above);
        Assert.Equal([1, 1, 1], Bytes(0x17F, 0x18F, 0x190));
    }

    [Fact]
    public void On_equal_priority_the_one_mapped_first_answers()
    {
        var first = new ConstantTarget(1);
        _space.Map(0x110, 0x10, first);
        _space.Map(0x100, 0x30, new ConstantTarget(2));
        Assert.Equal([2, 1, 2], Bytes(0x10F, 0x110, 0x120));
        _space.Unmap(first);
        _space.Map(0x110, 0x10, first);
        Assert.Equal([2, 2, 2], Bytes(0x10F, 0x110, 0x120));
    }

    [Fact]
    public void An_access_over_an_edge_is_divided_in_aligned_pieces()
    {
        var left = new BytesTarget(16, first: 0x10);
        var right = new BytesTarget(16, first: 0x80);
        _space.Map(0x100, 16, left);
        _space.Map(0x110, 16, right);
        Assert.Equal(0x8483_8281_801F_1E1Dul, _space.Read(0x10D, AccessWidth.Qword));
        Assert.Equal([(13, AccessWidth.Byte), (14, AccessWidth.Word)], left.Accesses);
        Assert.Equal([(0, AccessWidth.Dword), (4, AccessWidth.Byte)], right.Accesses);
    }

    [Fact]
    public void A_write_over_an_edge_reaches_both_owners()
    {
        var left = new BytesTarget(16);
        var right = new BytesTarget(16);
        _space.Map(0x100, 16, left);
        _space.Map(0x110, 16, right);
        _space.Write(0x10F, AccessWidth.Dword, 0x4433_2211);
        Assert.Equal(0x11, left.Bytes[15]);
        Assert.Equal([0x22, 0x33, 0x44], right.Bytes[..3]);
    }

    [Fact]
    public void An_access_over_the_end_is_answered_as_far_as_the_space_goes()
    {
        var last = new BytesTarget(1, first: 0x77);
        _space.Map(0xFFFF, 1, last);
        _space.Map(0, 1, new ConstantTarget(0));
        Assert.Equal(0xFFFF_FF77ul, _space.Read(0xFFFF, AccessWidth.Dword));
        _space.Write(0xFFFF, AccessWidth.Word, 0x1234);
        Assert.Equal(0x34, last.Bytes[0]);
        Assert.Equal(2, _space.Unclaimed);
    }

    [Fact]
    public void An_access_over_the_last_address_of_64_bits_does_not_come_round_to_zero()
    {
        var bottom = new BytesTarget(16);
        _space.Map(0, 16, bottom);
        Assert.Equal(0xFFFF_FFFFul, _space.Read(ulong.MaxValue - 1, AccessWidth.Dword));
        _space.Write(ulong.MaxValue - 1, AccessWidth.Dword, 0);
        Assert.Empty(bottom.Accesses);
    }

    [Fact]
    public void Bits_above_the_width_pass_in_neither_direction()
    {
        _space.Map(0, 1, new ConstantTarget(0x1234));
        Assert.Equal(0x34ul, _space.Read(0, AccessWidth.Byte));
        var target = new LastWrite();
        _space.Map(8, 8, target);
        _space.Write(8, AccessWidth.Word, 0xFFFF_5678);
        Assert.Equal(0x5678ul, target.Value);
    }

    [Fact]
    public void A_target_is_mapped_once_only()
    {
        var target = new ConstantTarget(1);
        _space.Map(0, 1, target);
        Assert.Throws<InvalidOperationException>(() => _space.Map(8, 1, target));
        Assert.True(_space.Unmap(target));
        Assert.False(_space.Unmap(target));
    }

    [Theory]
    [InlineData(0x1_0000ul, 1ul)]
    [InlineData(0xFFFFul, 2ul)]
    [InlineData(0ul, 0ul)]
    [InlineData(0x100ul, ulong.MaxValue)]
    [InlineData(0ul, 0x1_0001ul)]
    public void A_range_must_lie_inside_the_space(ulong start, ulong length) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _space.Map(start, length, new ConstantTarget(0)));

    [Fact]
    public void A_million_reads_allocate_nothing()
    {
        for (var i = 0ul; i < 64; i++)
            _space.Map(i * 0x20, 0x10, new ConstantTarget(i));
        ReadEverywhere(1000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        ReadEverywhere(1_000_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Readers_see_the_space_before_or_after_a_change_and_never_between()
    {
        var stays = new ConstantTarget(1);
        var moves = new ConstantTarget(2);
        _space.Map(0x100, 0x100, stays);
        using var done = new CancellationTokenSource();
        var writer = new Thread(() =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                _space.Map(0x140 + ((ulong)i % 8 * 0x10), 0x10, moves, priority: 1);
                _space.Unmap(moves);
            }
            done.Cancel();
        });
        writer.Start();
        var strange = 0;
        var seen = new int[3];
        do
        {
            for (var address = 0x138ul; address < 0x1C8; address += 8)
            {
                var value = _space.Read(address, AccessWidth.Byte);
                if (value is 1 or 2)
                    seen[value]++;
                else
                    strange++;
            }
        }
        while (!done.IsCancellationRequested);
        writer.Join();
        Assert.Equal(0, strange);
        Assert.True(seen[1] > 0);
        Assert.Equal(0, _space.Unclaimed);
    }

    private void ReadEverywhere(int count)
    {
        for (var i = 0; i < count; i++)
            _space.Read((ulong)i % 0x900, AccessWidth.Dword);
    }

    private byte[] Bytes(params ulong[] addresses) => [.. addresses.Select(address => (byte)_space.Read(address, AccessWidth.Byte))];

    private sealed class LastWrite : IAddressTarget
    {
        public ulong Value { get; private set; }

        public ulong Read(ulong offset, AccessWidth width) => Value;

        public void Write(ulong offset, AccessWidth width, ulong value) => Value = value;
    }
}
