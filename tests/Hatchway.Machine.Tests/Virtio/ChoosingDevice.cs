using Hatchway.Machine.Virtio;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>A device that is asked what its queue is for, and gives back what comes there, by either way.</summary>
internal sealed class ChoosingDevice(bool keeps) : IVirtioDevice, IBufferKeeper
{
    public ushort DeviceType => 42;

    public uint ClassCode => 0xFF_00_00;

    public ulong Features => 0;

    public IReadOnlyList<ushort> QueueSizes { get; } = [8];

    public int ConfigurationBytes => 0;

    public int Workers => 1;

    /// <summary>What happens once, while it is asked.</summary>
    public Action? Meanwhile { get; set; }

    public int Handled { get; private set; }

    public int? WorkerOf(int queue) => 0;

    public IBufferKeeper? KeeperOf(int queue)
    {
        var meanwhile = Meanwhile;
        Meanwhile = null;
        meanwhile?.Invoke();
        return keeps ? this : null;
    }

    public ulong ReadConfiguration(int offset, AccessWidth width) => 0;

    public void Start(ulong features)
    {
    }

    public uint Handle(int queue, int worker, DescriptorChain buffer)
    {
        Handled++;
        return 0;
    }

    public bool Serve(KeptBuffers buffers)
    {
        while (buffers.TryBegin(1))
        {
            Handled++;
            buffers.Use(0);
            buffers.End();
        }
        return false;
    }
}
