using FsCheck;
using FsCheck.Fluent;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>Both queue layouts, used by a driver written from the specification.</summary>
public sealed class QueueTests
{
    private const ulong Data = 0x2_0000;

    public static TheoryData<bool, bool, bool> Layouts => new()
    {
        { false, false, false }, { false, false, true }, { false, true, false }, { false, true, true },
        { true, false, false }, { true, false, true }, { true, true, false }, { true, true, true },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void What_is_offered_comes_back_done_over_many_turns_of_the_ring(bool packed, bool eventIndex, bool indirect)
    {
        var batches =
            from sizes in Gen.Choose(1, 3).ArrayOf()
            select sizes;
        Prop.ForAll(batches.ArrayOf().ToArbitrary(), plan =>
        {
            using var driver = new Driver(static memory => new EchoDevice(memory));
            driver.Start(new DriverOptions(packed, eventIndex, indirect));
            foreach (var batch in plan)
                Exchange(driver, batch, indirect);
            return !driver.Virtio.NeedsReset;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(60).WithEndSize(60));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void With_event_indices_the_driver_is_told_after_the_buffer_that_it_names_and_not_before(bool packed)
    {
        using var driver = new Driver(static memory => new EchoDevice(memory));
        driver.Start(new DriverOptions(packed));
        // Several turns of the ring of 8, so that the named place lies in this turn and in the next.
        for (var round = 0; round < 14; round++)
        {
            var before = driver.Host.Signals(1);
            driver.Ring.WantInterrupt(after: 3);
            for (var i = 0; i < 4; i++)
            {
                driver.Ring.Offer(false, new Piece(Data, 8, true));
                driver.Notify();
                Assert.Equal(before + (i == 3 ? 1 : 0), driver.Host.Signals(1));
            }
            for (var i = 0; i < 4; i++)
                Assert.True(driver.Ring.TryTake(out _, out _));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_driver_that_wants_no_interrupts_gets_none(bool packed)
    {
        using var driver = new Driver(static memory => new EchoDevice(memory));
        driver.Start(new DriverOptions(packed, EventIndex: false));
        driver.Ring.WantInterrupt(after: null);
        driver.Ring.Offer(false, new Piece(Data, 8, true));
        driver.Notify();
        Assert.Equal(0, driver.Host.Signals(1));

        driver.Ring.WantInterrupt(after: 0);
        driver.Ring.Offer(false, new Piece(Data, 8, true));
        driver.Notify();
        Assert.Equal(1, driver.Host.Signals(1));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void An_idle_device_wants_to_be_notified_of_the_next_buffer(bool packed, bool eventIndex, bool indirect)
    {
        using var driver = new Driver(static memory => new EchoDevice(memory));
        driver.Start(new DriverOptions(packed, eventIndex, indirect));
        for (var i = 0; i < 30; i++)
        {
            driver.Ring.Offer(indirect, new Piece(Data, 8, true));
            Assert.True(driver.Ring.MustNotify(eventIndex), $"buffer {i}");
            driver.Notify();
            Assert.True(driver.Ring.TryTake(out _, out _));
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void A_hundred_thousand_buffers_allocate_nothing(bool packed, bool indirect)
    {
        using var driver = new Driver(static memory => new EchoDevice(memory));
        driver.Start(new DriverOptions(packed, Indirect: indirect));
        Allocations.AssertNone(_ =>
        {
            driver.Ring.Offer(indirect, new Piece(Data, 64, false), new Piece(Data + 64, 64, true));
            driver.Notify();
            Assert.True(driver.Ring.TryTake(out var _, out var _));
        }, 100_000);
    }

    private static void Exchange(Driver driver, int[] batch, bool indirect)
    {
        var expected = new Dictionary<ushort, byte[]>();
        var pieces = new Piece[4];
        var room = (int)driver.Ring.Size;
        foreach (var count in batch)
        {
            room -= indirect ? 1 : count + 1;
            if (room < 0)
                break;
            var at = Data + (ulong)(expected.Count * 0x100);
            var text = new byte[count * 5];
            Random.Shared.NextBytes(text);
            text.CopyTo(driver.Memory.Slice(at, text.Length));
            for (var i = 0; i < count; i++)
                pieces[i] = new Piece(at + (ulong)(5 * i), 5, false);
            pieces[count] = new Piece(at + 0x80, 0x40, true);
            expected.Add(driver.Ring.Offer(indirect, pieces.AsSpan(0, count + 1)), text);
        }
        driver.Notify();
        for (var i = 0; i < expected.Count; i++)
        {
            Assert.True(driver.Ring.TryTake(out var id, out var written));
            Assert.Equal((uint)expected[id].Length, written);
            Assert.Equal(expected[id], driver.Memory.Slice(Data + (ulong)(i * 0x100) + 0x80, (int)written).ToArray());
        }
        Assert.False(driver.Ring.TryTake(out _, out _));
    }
}
