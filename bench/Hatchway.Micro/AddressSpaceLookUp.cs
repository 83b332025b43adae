using BenchmarkDotNet.Attributes;
using Hatchway.Machine.Memory;
using Hatchway.Pci.Address;

namespace Hatchway.Micro;

/// <summary>A guest's read of a device's BAR, by the number of devices with two BARs each.</summary>
public class AddressSpaceLookUp
{
    private const ulong BarsAt = 0xC000_0000;
    private const ulong BarStride = 0x10_0000;
    private readonly AddressSpace _memory = new(1ul << 40);
    private ulong _bar;

    [Params(1, 4, 16, 64, 256)]
    public int Devices { get; set; }

    [GlobalSetup]
    public void Map()
    {
        for (var bar = 0ul; bar < 2 * (ulong)Devices; bar++)
            _memory.Map(BarsAt + (bar * BarStride), 0x4000, new Constant());
    }

    // Another BAR each time, so that the search's branches can't be predicted: 7 is coprime to the number of BARs.
    [Benchmark]
    public ulong Read()
    {
        _bar = (_bar + 7) & ((2 * (ulong)Devices) - 1);
        return _memory.Read(BarsAt + (_bar * BarStride) + 8, AccessWidth.Dword);
    }

    private sealed class Constant : IAddressTarget
    {
        public ulong Read(ulong offset, AccessWidth width) => 0x1234_5678;

        public void Write(ulong offset, AccessWidth width, ulong value)
        {
        }
    }
}
