using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Handlers;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests.Handlers;

/// <summary>Handlers that throw or hang are reported, and not too often.</summary>
public sealed class HandlerWatchTests
{
    private readonly ManualClock _clock = new();
    private readonly List<string> _warnings = [];
    private readonly HandlerWatch _watch;

    public HandlerWatchTests() => _watch = new HandlerWatch(_clock, _warnings.Add);

    [Fact]
    public void A_handler_that_throws_is_named_with_what_it_threw()
    {
        var handler = Watched(new FakeHandler { Throws = true });
        Assert.Throws<InvalidOperationException>(() => Read(handler));
        Assert.Equal(
            ["the handler 'counter' (BAR0 8h) threw InvalidOperationException: the handler is broken; the guest reads all ones"],
            _warnings);
    }

    [Fact]
    public void A_handler_that_throws_on_and_on_is_told_of_once_in_ten_seconds_with_the_number_of_failures_between()
    {
        var handler = Watched(new FakeHandler { Throws = true });
        for (var i = 0; i < 1000; i++)
            Assert.Throws<InvalidOperationException>(() => Write(handler));
        Assert.Single(_warnings);
        _clock.Advance(HandlerWatch.Quiet);
        Assert.Throws<InvalidOperationException>(() => Write(handler));
        Assert.Equal(2, _warnings.Count);
        Assert.EndsWith("the write is dropped; 999 more since the last warning", _warnings[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Each_handler_that_throws_is_told_of()
    {
        Assert.Throws<InvalidOperationException>(() => Read(Watched(new FakeHandler { Throws = true })));
        Assert.Throws<InvalidOperationException>(() => Read(Watched(new FakeHandler { Throws = true }, "'other'")));
        Assert.Equal(2, _warnings.Count);
    }

    [Fact]
    public void A_handler_that_does_not_return_is_told_of_once()
    {
        using var hanging = new HangingHandler();
        var handler = Watched(hanging);
        var cpu = new Thread(() => Read(handler));
        cpu.Start();
        hanging.AwaitEntry();
        _watch.Check();
        _clock.Advance(TimeSpan.FromMilliseconds(999));
        _watch.Check();
        Assert.Empty(_warnings);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        _watch.Check();
        _clock.Advance(TimeSpan.FromMinutes(1));
        _watch.Check();
        Assert.Equal(["the handler 'counter' (BAR0 8h) has kept a CPU of the guest for more than 1 s; the others go on"], _warnings);
        hanging.Release();
        cpu.Join();
    }

    [Fact]
    public void A_handler_that_is_often_entered_but_returns_is_not_told_of()
    {
        using var hanging = new HangingHandler();
        var handler = Watched(hanging);
        for (var i = 0; i < 5; i++)
        {
            var cpu = new Thread(() => Read(handler));
            cpu.Start();
            hanging.AwaitEntry();
            _watch.Check();
            hanging.Release();
            cpu.Join();
            _clock.Advance(TimeSpan.FromMilliseconds(600));
            _watch.Check();
        }
        Assert.Empty(_warnings);
    }

    [Fact]
    public void Calls_that_overlap_are_not_one_that_does_not_return()
    {
        using var hanging = new HangingHandler();
        var handler = Watched(hanging);
        Thread? before = null;
        for (var i = 0; i < 6; i++)
        {
            var place = (ulong)i % 2;
            var cpu = new Thread(() => Read(handler, place));
            cpu.Start();
            hanging.AwaitEntry();
            if (before is not null)
            {
                hanging.Release(1 - place);
                before.Join();
            }
            before = cpu;
            _watch.Check();
            _clock.Advance(TimeSpan.FromMilliseconds(600));
            _watch.Check();
        }
        hanging.Release(1);
        before!.Join();
        Assert.Empty(_warnings);
    }

    [Fact]
    public void A_call_that_does_not_return_is_told_of_where_others_come_and_go()
    {
        using var hanging = new HangingHandler();
        var handler = Watched(hanging);
        var stuck = new Thread(() => Read(handler));
        stuck.Start();
        hanging.AwaitEntry();
        for (var i = 0; i < 6; i++)
        {
            hanging.Release(1);
            Read(handler, 1);
            _watch.Check();
            _clock.Advance(TimeSpan.FromMilliseconds(250));
        }
        Assert.Single(_warnings);
        hanging.Release();
        stuck.Join();
    }

    [Fact]
    public void After_an_exception_nobody_is_in_the_handler_any_more()
    {
        Assert.Throws<InvalidOperationException>(() => Read(Watched(new FakeHandler { Throws = true })));
        _watch.Check();
        _clock.Advance(TimeSpan.FromSeconds(5));
        _watch.Check();
        Assert.Single(_warnings);
    }

    private IBarHandler Watched(IBarHandler handler, string name = "'counter' (BAR0 8h)") => _watch.Over(handler, name);

    private static ulong Read(IBarHandler handler, ulong offset = 0) =>
        handler.Read(new BarAccess(new(0), 8 + offset, offset, AccessWidth.Dword, null));

    private static void Write(IBarHandler handler) => handler.Write(new BarAccess(new(0), 8, 0, AccessWidth.Dword, null), 1);

    private sealed class HangingHandler : IBarHandler, IDisposable
    {
        private readonly SemaphoreSlim _entered = new(0);
        private readonly SemaphoreSlim[] _released = [new(0), new(0)];

        public void AwaitEntry() => Assert.True(_entered.Wait(TimeSpan.FromSeconds(30)));

        public void Release(ulong offset = 0) => _released[offset].Release();

        public ulong Read(in BarAccess access)
        {
            _entered.Release();
            _released[access.HandlerOffset].Wait();
            return 0;
        }

        public void Write(in BarAccess access, ulong value)
        {
        }

        public void Dispose()
        {
            _entered.Dispose();
            Array.ForEach(_released, static released => released.Dispose());
        }
    }

    private sealed class ManualClock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Advance(TimeSpan time) => _ticks += time.Ticks;

        public override long GetTimestamp() => _ticks;
    }
}
