using Hatchway.Pci.Address;

namespace Hatchway.Pci.Config;

/// <summary>The config space of a host function: of a real one, of one in another process, or a recorded one.</summary>
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

/// <summary>Reads registers of a given width; all ones when the function does not answer.</summary>
public static class HostConfigSpaceExtensions
{
    /// <summary>Reads 8 bits.</summary>
    public static byte ReadByte(this IHostConfigSpace config, int offset) => (byte)Read(config, offset, AccessWidth.Byte);

    /// <summary>Reads 16 bits.</summary>
    /// <param name="config">The function's config space.</param>
    /// <param name="offset">A multiple of 2.</param>
    public static ushort ReadWord(this IHostConfigSpace config, int offset) => (ushort)Read(config, offset, AccessWidth.Word);

    /// <summary>Reads 32 bits.</summary>
    /// <param name="config">The function's config space.</param>
    /// <param name="offset">A multiple of 4.</param>
    public static uint ReadDword(this IHostConfigSpace config, int offset) => Read(config, offset, AccessWidth.Dword);

    private static uint Read(IHostConfigSpace config, int offset, AccessWidth width)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config.Read(new ConfigOffset((ushort)offset), width);
    }
}
