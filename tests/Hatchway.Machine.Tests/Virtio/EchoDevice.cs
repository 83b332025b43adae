using Hatchway.Machine.Virtio;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>A device that copies a buffer's readable part to its writable part.</summary>
internal sealed class EchoDevice(QueueMemory memory, int workers = 1) : IVirtioDevice
{
    private readonly byte[] _bytes = new byte[4096];

    public ushort DeviceType => 42;

    public uint ClassCode => 0xFF_00_00;

    public ulong Features => 1;

    public IReadOnlyList<ushort> QueueSizes { get; } = [256];

    public int ConfigurationBytes => 4;

    public int Workers => workers;

    /// <summary>Makes it throw, as a device with a bug would.</summary>
    public bool Fails { get; init; }

    public int Handled { get; private set; }

    public ulong ReadConfiguration(int offset, AccessWidth width) => (0x1234_5678ul >> (8 * offset)) & width.AllOnes();

    public void Start(ulong features)
    {
    }

    public uint Handle(int queue, int worker, DescriptorChain buffer)
    {
        if (Fails)
            throw new NotSupportedException();
        Handled++;
        return (uint)buffer.Write(memory, 0, _bytes.AsSpan(0, buffer.Read(memory, 0, _bytes)));
    }
}
