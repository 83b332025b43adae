using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>A host function made from a recorded or built config space, as VFIO would present it.</summary>
internal sealed class FakeHostFunction : IHostFunction
{
    private readonly Dictionary<BarIndex, FakeRegion> _regions = [];

    public FakeHostFunction(RecordedFunction recorded, CallLog log)
    {
        Config = new FakeConfigSpace((byte[])recorded.Config.Clone(), log);
        foreach (var (index, size) in recorded.Regions)
        {
            var io = index != BarIndex.Rom && (Config.Bytes[Header.Bar0 + (4 * index.Value)] & BarBits.Io) != 0;
            MappableArea[] mappable = io || index == BarIndex.Rom ? [] : [new MappableArea(0, size)];
            _regions[index] = new FakeRegion(index.ToString(), size, log, mappable);
        }
        if (Config.Bytes[Header.InterruptPin] != 0)
            Intx = new FakeIntx(log);
        var chains = CapabilityWalker.Walk(Config);
        if (chains.Find(CapabilityId.Msi) is { } msi)
            Msi = new FakeMessageInterrupts("msi", Spec.Msi.RequestedVectors(Word(msi.Offset + Spec.Msi.Control)), log);
        if (chains.Find(CapabilityId.Msix) is { } msix)
        {
            Msix = new FakeMessageInterrupts("msix", Spec.Msix.Entries(Word(msix.Offset + Spec.Msix.Control)), log);
            if (msix.Length < Spec.Msix.Length)
                return;
            var pending = (uint)Word(msix.Offset + Spec.Msix.Pba)
                | ((uint)Word(msix.Offset + Spec.Msix.Pba + 2) << 16);
            if (_regions.TryGetValue(new BarIndex((byte)(pending & Spec.Msix.BirMask)), out var region))
                region.Pending = (pending & ~Spec.Msix.BirMask, new byte[(Msix.Count + 63) / 64 * 8]);
        }
    }

    public FakeConfigSpace Config { get; }

    IHostConfigSpace IHostFunction.Config => Config;

    public FakeIntx? Intx { get; set; }

    IIntxInterrupt? IHostFunction.Intx => Intx;

    public FakeMessageInterrupts? Msi { get; set; }

    IMessageInterrupts? IHostFunction.Msi => Msi;

    public FakeMessageInterrupts? Msix { get; set; }

    IMessageInterrupts? IHostFunction.Msix => Msix;

    public IReadOnlyCollection<FakeRegion> Regions => _regions.Values;

    public FakeRegion this[int bar] => _regions[new BarIndex((byte)bar)];

    public IHostRegion? Region(BarIndex bar) => _regions.GetValueOrDefault(bar);

    public void Replace(int bar, FakeRegion region) => _regions[new BarIndex((byte)bar)] = region;

    private ushort Word(int at) => (ushort)(Config.Bytes[at] | (Config.Bytes[at + 1] << 8));
}
