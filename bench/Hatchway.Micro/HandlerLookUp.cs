using BenchmarkDotNet.Attributes;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Micro;

/// <summary>Reads of a BAR that a handler answers, and that the device answers, by the number of the BAR's handlers.</summary>
public class HandlerLookUp
{
    private const ulong BarBytes = 0x10_0000;
    private const ulong Stride = 16;
    private BarWindow _window = null!;
    private ulong _handler;

    [Params(1, 16, 256, 4096)]
    public int Handlers { get; set; }

    [GlobalSetup]
    public void Add()
    {
        var handlers = new BarHandlerList();
        var handler = new Constant();
        for (var i = 0ul; i < (ulong)Handlers; i++)
            handlers.Add(new BarHandlerRange(new(0), i * Stride, 4, "constant", handler));
        _window = new BarWindow(new BarDescription(new BarIndex(0), BarKind.Memory32, BarBytes, false), new Constant(), handlers);
    }

    [Benchmark]
    public ulong Handler() => _window.Read(Next(), AccessWidth.Dword);

    [Benchmark]
    public ulong Device() => _window.Read(Next() + 8, AccessWidth.Dword);

    private ulong Next() => Stride * (_handler = (_handler + 7) & ((ulong)Handlers - 1));

    private sealed class Constant : IBarHandler, IHostRegion
    {
        public ulong Size => BarBytes;

        public IReadOnlyList<MappableArea> MappableAreas => [];

        public ulong Read(in BarAccess access) => 0x1234_5678;

        public void Write(in BarAccess access, ulong value)
        {
        }

        public bool TryRead(ulong offset, AccessWidth width, out ulong value)
        {
            value = 0x1234_5678;
            return true;
        }

        public bool TryWrite(ulong offset, AccessWidth width, ulong value) => true;

        public IDisposable? TryMapIntoGuest(ulong offset, ulong length, ulong guestPhysical) => null;
    }
}
