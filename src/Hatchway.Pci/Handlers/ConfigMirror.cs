using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Handlers;

/// <summary>A range of config space.</summary>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct ConfigRange(int Offset, int Length);

/// <summary>
/// Handles a part of a BAR in which a device shows its own config space. The guest's driver reads it there, too, so it must see the
/// mediated config space, with the guest's own BARs.
/// </summary>
/// <remarks>
/// The handler's first byte is config space's first. A mirror should be no longer than config space (<see cref="FunctionMirrors"/> cuts
/// it), since the registers behind are the device's own. No lock is held during a write, which may remove the very BAR that it came
/// through, as on a real device.
/// </remarks>
public sealed class ConfigMirror : IBarHandler
{
    private readonly IReadOnlyList<ConfigRange> _passedOn;
    private volatile IPciFunction? _function;

    /// <summary>Creates a mirror, which reads as all ones until <see cref="Bind"/>.</summary>
    /// <param name="passedOn">
    /// Ranges of config space whose writes go to the device's own mirror and not to the guest's config space, since there they have an
    /// effect that config space has no register for.
    /// </param>
    public ConfigMirror(params IReadOnlyList<ConfigRange> passedOn)
    {
        ArgumentNullException.ThrowIfNull(passedOn);
        _passedOn = passedOn;
    }

    /// <summary>Sets the function whose config space is shown. Called once, before the guest runs.</summary>
    public void Bind(IPciFunction function)
    {
        ArgumentNullException.ThrowIfNull(function);
        _function = function;
    }

    /// <inheritdoc/>
    /// <remarks>A read of 8 bytes is made as two of 4, the lower first; an unaligned one as several aligned ones.</remarks>
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
    /// <remarks>Split like a read.</remarks>
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

    // By index, since an enumerator would be allocated for each write.
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
