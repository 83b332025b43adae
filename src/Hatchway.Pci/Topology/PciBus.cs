using Hatchway.Pci.Address;

namespace Hatchway.Pci.Topology;

/// <summary>One bus of the guest: 32 devices of 8 functions.</summary>
/// <remarks>Functions are added before the guest runs. Lookups take no lock and may come from any thread.</remarks>
public sealed class PciBus
{
    private readonly IPciFunction?[] _functions = new IPciFunction?[256];

    /// <summary>Puts a function at a device and function number of this bus.</summary>
    /// <exception cref="InvalidOperationException">The place is taken.</exception>
    public void Add(int device, int function, IPciFunction pciFunction)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)device, 31u, nameof(device));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)function, 7u, nameof(function));
        ref var place = ref _functions[(device << 3) | function];
        if (place is not null)
            throw new InvalidOperationException($"slot {device}:{function} is taken");
        place = pciFunction;
    }

    /// <summary>The function there, or null.</summary>
    public IPciFunction? this[int device, int function] => _functions[((device & 31) << 3) | (function & 7)];

    /// <summary>True when the device has any function.</summary>
    public bool HasDevice(int device) => Array.FindIndex(_functions, (device & 31) << 3, 8, static one => one is not null) >= 0;

    /// <summary>Reads config space; all ones where there is no function (PCIe 6.0 §2.3.2).</summary>
    public uint ReadConfig(int device, int function, ConfigOffset offset, AccessWidth width) =>
        this[device, function] is { } target ? target.ReadConfig(offset, width) : (uint)width.AllOnes();

    /// <summary>Writes config space; dropped where there is no function.</summary>
    public void WriteConfig(int device, int function, ConfigOffset offset, AccessWidth width, uint value) =>
        this[device, function]?.WriteConfig(offset, width, value);
}
