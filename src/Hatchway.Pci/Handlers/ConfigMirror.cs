using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Handlers;

/// <summary>
/// A part of a BAR in which a device shows its own config space. The guest's driver looks there, too, so it is shown what config space
/// shows: the mediated one, with the guest's own BARs.
/// </summary>
/// <remarks>
/// The handler's first byte is config space's first. A mirror should be no longer than config space (<see cref="FunctionMirrors"/> cuts
/// it): what lies behind is the device's own. Nothing is locked while a write is on its way: it may take away the very BAR that it came
/// through, as a write to a real device may.
/// </remarks>
public sealed class ConfigMirror : IBarHandler
{
    private readonly ulong _passedOn;
    private volatile IPciFunction? _function;

    /// <summary>Makes a mirror; it reads as all ones until <see cref="Bind"/>.</summary>
    /// <param name="passedOn">
    /// The first of two bytes in config space whose writes reach the device's own mirror as well, or 0 for none. NVIDIA's drivers
    /// acknowledge an MSI by a write to the read-only header of the MSI capability (nouveau: nv40_pci_msi_rearm).
    /// </param>
    public ConfigMirror(ushort passedOn = 0) => _passedOn = passedOn;

    /// <summary>Says whose config space it is. Once, before the guest runs.</summary>
    public void Bind(IPciFunction function)
    {
        ArgumentNullException.ThrowIfNull(function);
        _function = function;
    }

    /// <inheritdoc/>
    /// <remarks>A read of 8 bytes is two of 4, the lower first; one that is not aligned is made of aligned ones.</remarks>
    public ulong Read(in BarAccess access)
    {
        if (_function is not { } function)
            return access.Width.AllOnes();
        var value = 0ul;
        for (var done = 0; done < (int)access.Width;)
        {
            var piece = Piece(access, done);
            value |= (ulong)function.ReadConfig(At(access, done), piece) << (8 * done);
            done += (int)piece;
        }
        return value;
    }

    /// <inheritdoc/>
    /// <remarks>Cut as a read is.</remarks>
    public void Write(in BarAccess access, ulong value)
    {
        if (_function is not { } function)
            return;
        if (_passedOn != 0 && _passedOn <= access.HandlerOffset && access.HandlerOffset + (uint)access.Width <= _passedOn + 2)
            access.WriteHost(value);
        for (var done = 0; done < (int)access.Width;)
        {
            var piece = Piece(access, done);
            function.WriteConfig(At(access, done), piece, (uint)((value >> (8 * done)) & piece.AllOnes()));
            done += (int)piece;
        }
    }

    private static ConfigOffset At(in BarAccess access, int done) => new((ushort)(access.HandlerOffset + (uint)done));

    // Config space has no access wider than a dword (PCIe 6.0 §2.2.7).
    private static AccessWidth Piece(in BarAccess access, int done) =>
        AccessWidthExtensions.WidestAligned(access.HandlerOffset + (uint)done, Math.Min(4, (int)access.Width - done));
}
