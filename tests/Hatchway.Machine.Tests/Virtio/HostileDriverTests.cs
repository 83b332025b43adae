using FsCheck;
using FsCheck.Fluent;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>A driver that breaks a queue makes the device need a reset (VIRTIO 1.2 §2.1), and has no other effect.</summary>
public sealed class HostileDriverTests
{
    private const ulong Data = 0x2_0000;
    private const ulong Table = 0x1_0000;
    private const ushort Next = 1;
    private const ushort Indirect = 4;

    private static readonly Piece Good = new(Data, 16, true);

    private static readonly Dictionary<string, Action<SplitDriver>> SplitMistakes = new()
    {
        ["a chain that goes in a circle"] = static ring => Chain(ring, (Good, 1), (Good, 0)),
        ["a descriptor that follows itself"] = static ring => Chain(ring, (Good, 0)),
        ["memory beyond RAM"] = static ring => ring.Offer(false, new Piece(1 << 20, 16, true)),
        ["memory that runs out of RAM"] = static ring => ring.Offer(false, new Piece((1 << 20) - 8, 16, true)),
        ["memory that wraps"] = static ring => ring.Offer(false, new Piece(ulong.MaxValue - 7, 16, true)),
        ["a readable part behind a writable one"] = static ring => ring.Offer(false, Good, Good with { IsWritable = false }),
        ["an empty descriptor"] = static ring => ring.Offer(false, Good with { Length = 0 }),
        ["a next descriptor beyond the table"] = static ring => Chain(ring, (Good, 99)),
        ["a head beyond the table"] = static ring => ring.OfferHead(99),
        ["an index far ahead"] = static ring => ring.Memory.Slice(DriverRing.Driver + 2, 2).Fill(0x77),
        ["an indirect table that is empty"] = static ring => IndirectTable(ring, Table, 0, Indirect),
        ["an indirect table of half a descriptor"] = static ring => IndirectTable(ring, Table, 24, Indirect),
        ["an indirect table beyond RAM"] = static ring => IndirectTable(ring, 1 << 20, 16, Indirect),
        ["an indirect table and a next descriptor"] = static ring => IndirectTable(ring, Table, 16, Indirect | Next),
        ["an indirect table in an indirect table"] = static ring =>
        {
            ring.WriteDescriptor(Table, new Piece(Table, 16, false), null, Indirect);
            IndirectTable(ring, Table, 16, Indirect);
        },
        ["a circle in an indirect table"] = static ring =>
        {
            ring.WriteDescriptor(Table, Good, 0);
            IndirectTable(ring, Table, 16, Indirect);
        },
        ["more pieces than a queue may have"] = static ring =>
        {
            for (var i = 0; i < 300; i++)
                ring.WriteDescriptor(Table + (16ul * (uint)i), Good, i + 1 < 300 ? i + 1 : null);
            IndirectTable(ring, Table, 300 * 16, Indirect);
        },
    };

    private static readonly Dictionary<string, Action<PackedDriver>> PackedMistakes = new()
    {
        ["a chain without an end"] = static ring => ring.Offer(false, [.. Enumerable.Repeat(Good, 7), .. Unending(ring)]),
        ["memory beyond RAM"] = static ring => ring.Offer(false, new Piece(1 << 20, 16, true)),
        ["a readable part behind a writable one"] = static ring => ring.Offer(false, Good, Good with { IsWritable = false }),
        ["an empty descriptor"] = static ring => ring.Offer(false, Good with { Length = 0 }),
        ["an indirect table that is empty"] = static ring => ring.OfferRaw(new Piece(Table, 0, false), Indirect),
        ["an indirect table of half a descriptor"] = static ring => ring.OfferRaw(new Piece(Table, 24, false), Indirect),
        ["an indirect table beyond RAM"] = static ring => ring.OfferRaw(new Piece(1 << 20, 16, false), Indirect),
        ["an indirect table and a next descriptor"] = static ring => ring.OfferRaw(new Piece(Table, 16, false), Indirect | Next),
        ["an indirect table of nothing good"] = static ring => ring.OfferRaw(new Piece(Table, 16, false), Indirect),
    };

    public static TheoryData<bool, string> Mistakes
    {
        get
        {
            var data = new TheoryData<bool, string>();
            foreach (var name in SplitMistakes.Keys)
                data.Add(false, name);
            foreach (var name in PackedMistakes.Keys)
                data.Add(true, name);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_makes_the_device_need_a_reset_and_a_reset_mends_it(bool packed, string mistake)
    {
        using var driver = new Driver(static memory => new EchoDevice(memory));
        driver.Start(new DriverOptions(packed));
        if (packed)
            PackedMistakes[mistake]((PackedDriver)driver.Ring);
        else
            SplitMistakes[mistake]((SplitDriver)driver.Ring);

        driver.Notify();

        Assert.Equal(Driver.NeedsReset, driver.Status & Driver.NeedsReset);
        Assert.Equal(1, driver.Host.Signals(0));
        Assert.False(driver.Ring is SplitDriver && driver.Ring.TryTake(out _, out _));

        driver.Start(new DriverOptions(packed));
        driver.Ring.Offer(false, Good);
        driver.Notify();
        Assert.True(driver.Ring.TryTake(out _, out _));
        Assert.False(driver.Virtio.NeedsReset);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_indirect_table_that_was_not_negotiated_is_a_mistake(bool packed)
    {
        using var driver = new Driver(static memory => new EchoDevice(memory));
        driver.Start(new DriverOptions(packed, Indirect: false));

        driver.Ring.Offer(true, Good);
        driver.Notify();

        Assert.True(driver.Virtio.NeedsReset);
    }

    [Theory]
    [InlineData(0x1008, 0x3000, 0x4000)]
    [InlineData(0x1000, 0x3001, 0x4000)]
    [InlineData(0x1000, 0x3000, 0x4002)]
    [InlineData(0xFFFFFF0, 0x3000, 0x4000)]
    [InlineData(0x1000, 0xFFFFE, 0x4000)]
    [InlineData(0x1000, 0x3000, -16)]
    public void A_queue_that_is_not_aligned_or_not_in_ram_needs_a_reset(long descriptors, long available, long used)
    {
        using var driver = new Driver(static memory => new EchoDevice(memory));
        driver.Status = Driver.Acknowledge | Driver.HasDriver;
        driver.Negotiate(1ul << 32);
        driver.SetUpQueue(0, 8, (ulong)descriptors, (ulong)available, (ulong)used);

        driver.Status |= Driver.DriverOk;

        Assert.Equal(Driver.NeedsReset, driver.Status & Driver.NeedsReset);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Whatever_is_in_the_rings_nothing_is_thrown(bool packed)
    {
        var gen =
            from seed in Gen.Choose(0, int.MaxValue)
            from small in Gen.Choose(0, 2)
            select (seed, small);
        Prop.ForAll(gen.ToArbitrary(), given =>
        {
            var random = new Random(given.seed);
            using var driver = new Driver(static memory => new EchoDevice(memory));
            driver.Start(new DriverOptions(packed));
            for (var round = 0; round < 20; round++)
            {
                random.NextBytes(driver.Memory.Slice(DriverRing.Descriptors, 0x80));
                random.NextBytes(driver.Memory.Slice(DriverRing.Driver, 32));
                // Plausible values get past more checks than random ones.
                if (given.small > 0)
                    MakePlausible(driver, random, packed);
                driver.Notify();
                if (driver.Virtio.NeedsReset)
                    driver.Start(new DriverOptions(packed));
            }
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public void Whatever_is_written_to_the_registers_nothing_is_thrown()
    {
        var access =
            from offset in Gen.Choose(0, 0x3010)
            from common in Gen.Choose(0, 0x40)
            from area in Gen.Choose(0, 3)
            from width in Gen.Elements(AccessWidth.Byte, AccessWidth.Word, AccessWidth.Dword, AccessWidth.Qword)
            from value in Gen.Choose(0, int.MaxValue)
            select (Offset: area == 0 ? offset : common, width, value);
        Prop.ForAll(access.ArrayOf().ToArbitrary(), accesses =>
        {
            using var driver = new Driver(static memory => new EchoDevice(memory));
            driver.Start(new DriverOptions());
            foreach (var (offset, width, value) in accesses)
            {
                driver.Window.Write((ulong)offset, width, (ulong)value & width.AllOnes());
                driver.Window.Read((ulong)offset, width);
                driver.Serve();
            }
            return driver.Window.LastHandlerFailure is null;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(200).WithEndSize(200));
    }

    private static void MakePlausible(Driver driver, Random random, bool packed)
    {
        for (var i = 0ul; i < 8; i++)
        {
            var at = driver.Memory.Slice(DriverRing.Descriptors + (16 * i), 16);
            at[2] &= 0x0F;
            at[3..8].Clear();
            at[9] = at[10] = at[11] = 0;
            at[12] &= 7;
            at[13] = 0;
            at[14] &= 7;
            at[15] = 0;
            if (packed)
                at[14] |= (byte)(random.Next(2) << 7);
        }
        if (!packed)
            driver.Memory.Slice(DriverRing.Driver + 3, 1).Clear();
    }

    // Fills the ring with descriptors that all continue, so that the chain never ends.
    private static Piece[] Unending(PackedDriver ring)
    {
        for (var i = 0ul; i < 8; i++)
            ring.Memory.Slice(DriverRing.Descriptors + (16 * i) + 14, 1)[0] = 1;
        return [Good, Good];
    }

    private static void Chain(SplitDriver ring, params (Piece Piece, int Next)[] chain)
    {
        for (var i = 0; i < chain.Length; i++)
            ring.WriteDescriptor(DriverRing.Descriptors + (16ul * (uint)i), chain[i].Piece, chain[i].Next);
        ring.OfferHead(0);
    }

    private static void IndirectTable(SplitDriver ring, ulong address, uint length, ushort flags)
    {
        ring.WriteDescriptor(DriverRing.Descriptors, new Piece(address, length, false), null, flags);
        ring.OfferHead(0);
    }
}
