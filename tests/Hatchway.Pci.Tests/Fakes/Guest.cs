using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>A guest with one assigned function: its driver's actions, in the specification's terms.</summary>
internal sealed class Guest : IDisposable
{
    public Guest(
        string recording, Action<FakeHostFunction>? prepare = null, BarHandlerList? handlers = null, AssignedOptions? options = null)
        : this(RecordedFunction.Load(recording), prepare, handlers, options)
    {
    }

    public Guest(
        RecordedFunction recorded, Action<FakeHostFunction>? prepare = null, BarHandlerList? handlers = null,
        AssignedOptions? options = null)
    {
        Map = new FakeAddressMap(Log);
        Host = new FakeHostFunction(recorded, Log);
        prepare?.Invoke(Host);
        Function = new AssignedFunction(Host, Map, handlers ?? new BarHandlerList(), options ?? new AssignedOptions());
    }

    public CallLog Log { get; } = new();

    public FakeAddressMap Map { get; }

    public FakeHostFunction Host { get; }

    public AssignedFunction Function { get; }

    public uint Read(int at, AccessWidth width) => Function.ReadConfig(new((ushort)at), width);

    public byte Read8(int at) => (byte)Read(at, AccessWidth.Byte);

    public ushort Read16(int at) => (ushort)Read(at, AccessWidth.Word);

    public uint Read32(int at) => Read(at, AccessWidth.Dword);

    public void Write(int at, AccessWidth width, uint value) => Function.WriteConfig(new((ushort)at), width, value);

    public void Write8(int at, uint value) => Write(at, AccessWidth.Byte, value);

    public void Write16(int at, uint value) => Write(at, AccessWidth.Word, value);

    public void Write32(int at, uint value) => Write(at, AccessWidth.Dword, value);

    /// <summary>Sets the command register's bits.</summary>
    public void Command(CommandBits bits) => Write16(Header.Command, (uint)bits);

    /// <summary>Programs a BAR; both registers when it has two.</summary>
    public void PlaceBar(int bar, ulong address)
    {
        var at = bar == 6 ? Header.RomBar : Header.Bar0 + (4 * bar);
        Write32(at, (uint)address);
        if (bar != 6 && (Read32(at) & 7) == BarBits.Type64)
            Write32(at + 4, (uint)(address >> 32));
    }

    public BarWindow Window(int bar) => Function.Windows.Single(window => window.Bar.Index.Value == bar);

    /// <summary>Walks the standard chain as a driver does: trusting it, except for a bound.</summary>
    public IReadOnlyList<(int Id, int Offset)> Capabilities()
    {
        var found = new List<(int, int)>();
        if ((Read16(Header.Status) & Header.StatusCapabilityList) == 0)
            return found;
        for (var at = Read8(Header.CapabilitiesPointer) & 0xFC; at != 0; at = Read8(at + 1) & 0xFC)
        {
            found.Add((Read8(at), at));
            Assert.InRange(found.Count, 1, 48);
        }
        return found;
    }

    /// <summary>Walks the extended chain; skips null capabilities.</summary>
    public IReadOnlyList<(int Id, int Version, int Offset)> ExtendedCapabilities()
    {
        var found = new List<(int, int, int)>();
        var steps = 0;
        for (var at = 0x100; at != 0;)
        {
            Assert.InRange(++steps, 1, 960);
            var header = Read32(at);
            if (header == 0)
                break;
            if ((header & 0xFFFF) != 0)
                found.Add(((int)(header & 0xFFFF), (int)(header >> 16) & 0xF, at));
            at = (int)(header >> 20) & 0xFFC;
        }
        return found;
    }

    /// <summary>The offset of a standard capability.</summary>
    public int Find(CapabilityId id) => Capabilities().First(capability => capability.Id == (int)id).Offset;

    public void Dispose() => Function.Dispose();
}
