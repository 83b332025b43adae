using BenchmarkDotNet.Attributes;
using Hatchway.Pci.Address;
using Hatchway.Pci.Config;
using Hatchway.Pci.Topology;

namespace Hatchway.Micro;

/// <summary>Accesses to config space, through the bus to a mediated function whose host answers at once,
/// by the number of functions and of rules.</summary>
public class ConfigAccess
{
    private readonly PciBus _bus = new();
    private int _function;

    [Params(1, 16, 256)]
    public int Functions { get; set; }

    [Params(8, 512)]
    public int Rules { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        for (var i = 0; i < Functions; i++)
            _bus.Add(i >> 3, i & 7, new Mediated(Rules));
    }

    [Benchmark]
    public uint ReadOfTheHosts() => Read(0x44);

    [Benchmark]
    public uint ReadOfTheMediators() => Read(0x40);

    [Benchmark]
    public void Write()
    {
        _function = (_function + 7) & (Functions - 1);
        _bus.WriteConfig(_function >> 3, _function & 7, new(0x40), AccessWidth.Dword, 0x55);
    }

    private uint Read(ushort offset)
    {
        _function = (_function + 7) & (Functions - 1);
        return _bus.ReadConfig(_function >> 3, _function & 7, new(offset), AccessWidth.Dword);
    }

    // The mediator emulates every other register.
    private sealed class Mediated(int rules) : IPciFunction, IHostConfigSpace
    {
        private ConfigMediator? _mediator;

        public int Size => 4096;

        private ConfigMediator Mediator => _mediator ??= new ConfigMediator(
            this,
            [.. Enumerable.Range(0, rules).Select(static i => FieldRule.VirtualField("register", 0x40 + (i * 8 % 0xF00), 4, 0, 0xFF))]);

        public uint ReadConfig(ConfigOffset offset, AccessWidth width) => Mediator.Read(offset, width);

        public void WriteConfig(ConfigOffset offset, AccessWidth width, uint value) =>
            Mediator.Forward(Mediator.Write(offset, width, value));

        public uint Read(ConfigOffset offset, AccessWidth width) => 0x1234_5678;

        public void Write(ConfigOffset offset, AccessWidth width, uint value)
        {
        }
    }
}
