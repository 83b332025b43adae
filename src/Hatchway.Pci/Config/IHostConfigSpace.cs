using Hatchway.Pci.Address;

namespace Hatchway.Pci.Config;

/// <summary>The config space of the function behind: a real one of the host, one in another process, a recorded one.</summary>
/// <remarks>May be called from several threads. An access reaches the function at the width given, once.</remarks>
public interface IHostConfigSpace
{
    /// <summary>Bytes of config space: 256 or 4096.</summary>
    int Size { get; }

    /// <summary>Reads a register; all ones when the function does not answer.</summary>
    /// <param name="offset">Naturally aligned to <paramref name="width"/>, below <see cref="Size"/>.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    uint Read(ConfigOffset offset, AccessWidth width);

    /// <summary>Writes a register; dropped when the function does not answer.</summary>
    /// <param name="offset">Naturally aligned to <paramref name="width"/>, below <see cref="Size"/>.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    /// <param name="value">The low <paramref name="width"/> bytes count.</param>
    void Write(ConfigOffset offset, AccessWidth width, uint value);
}
