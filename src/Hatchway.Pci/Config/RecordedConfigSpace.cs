using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Config;

/// <summary>A config space, or its first part, that was read from sysfs or from lspci's output.</summary>
/// <remarks>Reads beyond the known bytes give all ones, and writes are dropped. Any thread may call.</remarks>
public sealed class RecordedConfigSpace : IHostConfigSpace
{
    private readonly byte[] _bytes;

    /// <param name="bytes">The bytes from its start; those beyond 4096 are ignored.</param>
    public RecordedConfigSpace(ReadOnlySpan<byte> bytes)
    {
        _bytes = bytes[..Math.Min(bytes.Length, Header.ExpressSize)].ToArray();
    }

    /// <summary>Number of bytes that are known; 64, 256 or 4096 in a complete recording.</summary>
    public int Size => _bytes.Length;

    /// <summary>True when enough is known to find capabilities. To users other than root, sysfs shows only the header, like
    /// <c>lspci -x</c>.</summary>
    public bool HasCapabilities => _bytes.Length >= Header.ConventionalSize;

    /// <inheritdoc/>
    public uint Read(ConfigOffset offset, AccessWidth width) =>
        (uint)(offset.Value + (int)width > _bytes.Length ? width.AllOnes() : width.Load(_bytes.AsSpan(offset.Value)));

    /// <inheritdoc/>
    public void Write(ConfigOffset offset, AccessWidth width, uint value)
    {
        // A recording has no registers.
    }

    /// <summary>Walks the capability chains, as far as they are known.</summary>
    public CapabilityChains WalkCapabilities()
    {
        if (HasCapabilities)
            return CapabilityWalker.Walk(this);
        var told = Size > Header.CapabilitiesPointer && (this.ReadWord(Header.Status) & Header.StatusCapabilityList) == 0
            ? Array.Empty<string>()
            : [$"only {Size} bytes of config space are known: "
                + "capabilities can't be told (root reads all of it; 'lspci -xxxx' prints all of it)"];
        return new CapabilityChains([], [], told);
    }
}
