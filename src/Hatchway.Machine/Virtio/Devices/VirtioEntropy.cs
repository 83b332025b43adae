using Hatchway.Pci.Address;

namespace Hatchway.Machine.Virtio.Devices;

/// <summary>Fills memory with random bytes. Neither throws nor allocates.</summary>
/// <returns>How many bytes were filled, from the start.</returns>
public delegate int EntropySource(Span<byte> bytes);

/// <summary>A source of random bytes (Virtual I/O Device (VIRTIO) Version 1.2 §5.4), like bhyve's <c>virtio-rnd</c>.</summary>
/// <param name="memory">The guest's RAM.</param>
/// <param name="source">Where the bytes come from.</param>
public sealed class VirtioEntropy(QueueMemory memory, EntropySource source) : IVirtioDevice
{
    private const ushort Entropy = 4;
    private const uint OtherEncryption = 0x10_80_00;
    private const ushort QueueSize = 64;

    // A guest that asks for a GiB gets a part that takes no time, and more when it asks again (§5.4.6.1).
    private const uint MostAtOnce = 64 << 10;

    /// <inheritdoc/>
    public ushort DeviceType => Entropy;

    /// <inheritdoc/>
    public uint ClassCode => OtherEncryption;

    /// <inheritdoc/>
    public ulong Features => 0;

    /// <inheritdoc/>
    public IReadOnlyList<ushort> QueueSizes { get; } = [QueueSize];

    /// <inheritdoc/>
    public int ConfigurationBytes => 0;

    /// <inheritdoc/>
    public int Workers => 1;

    /// <inheritdoc/>
    public ulong ReadConfiguration(int offset, AccessWidth width) => width.AllOnes();

    /// <inheritdoc/>
    public void Start(ulong features)
    {
    }

    /// <inheritdoc/>
    public uint Handle(int queue, int worker, DescriptorChain buffer)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        var filled = 0u;
        foreach (var piece in buffer.Writable)
        {
            var wanted = (int)Math.Min(piece.Length, MostAtOnce - filled);
            var done = source(memory.Slice(piece.Address, wanted));
            filled += (uint)done;
            if (done < piece.Length)
                break;
        }
        return filled;
    }
}
