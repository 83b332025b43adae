using Hatchway.Pci.Address;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Config;

/// <summary>A config space that was read before, as far as it was: a file of sysfs, or what lspci printed.</summary>
/// <remarks>Reads beyond what is known give all ones, and writes are dropped. Any thread may call.</remarks>
public sealed class RecordedConfigSpace : IHostConfigSpace
{
    private readonly byte[] _bytes;

    /// <param name="bytes">From its start; what is beyond 4096 bytes is left out.</param>
    public RecordedConfigSpace(ReadOnlySpan<byte> bytes)
    {
        _bytes = bytes[..Math.Min(bytes.Length, Header.ExpressSize)].ToArray();
    }

    /// <summary>Bytes that are known: 64, 256 or 4096 of a whole recording.</summary>
    public int Size => _bytes.Length;

    /// <summary>True when capabilities can be looked for. Without root sysfs gives the header only, as <c>lspci -x</c> does.</summary>
    public bool HasCapabilities => _bytes.Length >= Header.ConventionalSize;

    /// <inheritdoc/>
    public uint Read(ConfigOffset offset, AccessWidth width) =>
        (uint)(offset.Value + (int)width > _bytes.Length ? width.AllOnes() : width.Load(_bytes.AsSpan(offset.Value)));

    /// <inheritdoc/>
    public void Write(ConfigOffset offset, AccessWidth width, uint value)
    {
        // A recording has no registers.
    }

    /// <summary>Walks its capability chains, as far as they are known.</summary>
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
