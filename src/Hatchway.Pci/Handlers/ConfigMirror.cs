using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Handlers;

/// <summary>Some bytes of config space.</summary>
/// <param name="Offset">The first.</param>
/// <param name="Length">How many.</param>
public readonly record struct ConfigRange(int Offset, int Length);

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
    private readonly IReadOnlyList<ConfigRange> _passedOn;
    private volatile IPciFunction? _function;

    /// <summary>Makes a mirror; it reads as all ones until <see cref="Bind"/>.</summary>
    /// <param name="passedOn">
    /// Bytes of config space whose writes go to the device's own mirror and not to the guest's config space: a driver signals something
    /// by them that config space has no register for.
    /// </param>
    public ConfigMirror(params IReadOnlyList<ConfigRange> passedOn)
    {
        ArgumentNullException.ThrowIfNull(passedOn);
        _passedOn = passedOn;
    }

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
        for (var done = 0; done < (int)access.Width;)
        {
            var piece = Piece(access, done);
            var part = (uint)((value >> (8 * done)) & piece.AllOnes());
            if (IsPassedOn(At(access, done), piece))
                access.WriteHost(access.Offset + (uint)done, piece, part);
            else
                function.WriteConfig(At(access, done), piece, part);
            done += (int)piece;
        }
    }

    // By index: an enumerator would be an allocation for each write.
    private bool IsPassedOn(ConfigOffset offset, AccessWidth width)
    {
        for (var i = 0; i < _passedOn.Count; i++)
        {
            if (_passedOn[i].Offset <= offset.Value && offset.Value + (int)width <= _passedOn[i].Offset + _passedOn[i].Length)
                return true;
        }
        return false;
    }

    private static ConfigOffset At(in BarAccess access, int done) => new((ushort)(access.HandlerOffset + (uint)done));

    // Config space has no access wider than a dword (PCIe 6.0 §2.2.7).
    private static AccessWidth Piece(in BarAccess access, int done) =>
        AccessWidthExtensions.WidestAligned(access.HandlerOffset + (uint)done, Math.Min(4, (int)access.Width - done));
}
