using System.Buffers.Binary;
using Hatchway.Machine.Virtio.Spec;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Virtio.Devices;

/// <summary>Named character devices (VIRTIO 1.2 §5.3), like bhyve's <c>virtio-console</c>. One thread serves all its queues.</summary>
/// <remarks>A driver without VIRTIO_CONSOLE_F_MULTIPORT has the first port only, and does not learn its name.</remarks>
public sealed class VirtioConsole : IVirtioDevice
{
    /// <summary>The largest number of ports, as in bhyve.</summary>
    public const int MostPorts = 16;

    /// <summary>The longest name of a port, in bytes.</summary>
    public const int LongestName = 64;

    private const ushort QueueSize = 64;
    private const uint CommunicationOther = 0x07_80_00;

    private readonly QueueMemory _memory;
    private readonly IReadOnlyList<ConsolePort> _ports;
    private readonly IBufferKeeper?[] _keepers;
    private readonly Action _told;
    private bool _hasSeveral;

    /// <summary>Makes a console device.</summary>
    /// <param name="memory">The guest's RAM.</param>
    /// <param name="ports">1 to <see cref="MostPorts"/>.</param>
    /// <param name="told">Asks for the control queue to be served.</param>
    public VirtioConsole(QueueMemory memory, IReadOnlyList<ConsolePort> ports, Action told)
    {
        ArgumentNullException.ThrowIfNull(ports);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ports.Count, MostPorts);
        (_memory, _ports, _told) = (memory, ports, told);
        var sizes = new ushort[2 + (2 * ports.Count)];
        sizes.AsSpan().Fill(QueueSize);
        QueueSizes = sizes;
        _keepers = new IBufferKeeper?[sizes.Length];
        _keepers[ControlQueue] = new Teller(memory, ports);
        for (var i = 0; i < ports.Count; i++)
        {
            _keepers[ReceiveQueue(i)] = new Receiver(memory, ports[i]);
            _keepers[TransmitQueue(i)] = new Transmitter(memory, ports[i]);
        }
    }

    /// <summary>The queue that carries a client's bytes to the guest.</summary>
    public static int ReceiveQueue(int port) => port == 0 ? 0 : 2 + (2 * port);

    /// <summary>The queue that carries the guest's bytes to a port's client.</summary>
    public static int TransmitQueue(int port) => ReceiveQueue(port) + 1;

    /// <summary>The queue that carries control messages to the guest.</summary>
    public const int ControlQueue = ConsoleDevice.ControlToGuest;

    /// <inheritdoc/>
    public ushort DeviceType => ConsoleDevice.DeviceType;

    /// <inheritdoc/>
    public uint ClassCode => CommunicationOther;

    /// <inheritdoc/>
    public ulong Features => ConsoleDevice.SeveralPorts;

    /// <inheritdoc/>
    public IReadOnlyList<ushort> QueueSizes { get; }

    /// <inheritdoc/>
    public int ConfigurationBytes => ConsoleDevice.ConfigurationBytes;

    /// <inheritdoc/>
    public int Workers => 1;

    /// <inheritdoc/>
    public int? WorkerOf(int queue) => 0;

    /// <inheritdoc/>
    public IBufferKeeper? KeeperOf(int queue) => _keepers[queue];

    /// <inheritdoc/>
    public ulong ReadConfiguration(int offset, AccessWidth width) =>
        (((ulong)_ports.Count << (8 * ConsoleDevice.MaximumPorts)) >> (8 * offset)) & width.AllOnes();

    /// <inheritdoc/>
    public void Start(ulong features)
    {
        _hasSeveral = (features & ConsoleDevice.SeveralPorts) != 0;
        foreach (var port in _ports)
            port.Restart(isOpen: !_hasSeveral && port == _ports[0]);
    }

    /// <inheritdoc/>
    public void Reset()
    {
        foreach (var port in _ports)
            port.Close();
    }

    /// <inheritdoc/>
    public uint Handle(int queue, int worker, DescriptorChain buffer)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        Control(buffer);
        return 0;
    }

    private void Control(DescriptorChain buffer)
    {
        Span<byte> message = stackalloc byte[ConsoleDevice.MessageBytes];
        if (!_hasSeveral || buffer.Read(_memory, 0, message) < message.Length)
            return;
        var number = BinaryPrimitives.ReadUInt32LittleEndian(message);
        var what = (ConsoleEvent)BinaryPrimitives.ReadUInt16LittleEndian(message[ConsoleDevice.MessageEvent..]);
        var value = BinaryPrimitives.ReadUInt16LittleEndian(message[ConsoleDevice.MessageValue..]);
        if (what == ConsoleEvent.DeviceReady && value == 1)
        {
            foreach (var port in _ports)
                port.Announce();
        }
        else if (number < (uint)_ports.Count && what == ConsoleEvent.PortReady && value == 1)
            _ports[(int)number].SetReady();
        else if (number < (uint)_ports.Count && what == ConsoleEvent.PortOpen)
            _ports[(int)number].SetOpen(value != 0);
        _told();
    }

    private sealed class Receiver(QueueMemory memory, ConsolePort port) : IBufferKeeper
    {
        public bool Serve(KeptBuffers buffers)
        {
            while (buffers.TryBegin(1))
            {
                var bytes = port.Drain(memory, buffers.Kept[0]);
                if (bytes > 0)
                    buffers.Use((ulong)bytes);
                buffers.End();
                if (bytes == 0)
                    break;
            }
            return false;
        }
    }

    private sealed class Transmitter(QueueMemory memory, ConsolePort port) : IBufferKeeper
    {
        public bool Serve(KeptBuffers buffers)
        {
            while (buffers.TryBegin(1))
            {
                var isSent = port.Send(memory, buffers.Kept[0]);
                if (isSent)
                    buffers.Use(0);
                buffers.End();
                if (!isSent)
                    break;
            }
            return false;
        }
    }

    private sealed class Teller(QueueMemory memory, IReadOnlyList<ConsolePort> ports) : IBufferKeeper
    {
        public bool Serve(KeptBuffers buffers)
        {
            Span<byte> message = stackalloc byte[ConsoleDevice.MessageBytes + LongestName];
            for (var i = 0; i < ports.Count;)
            {
                if (!buffers.TryBegin(1))
                    return false;
                var bytes = ports[i].TakeMessage(i, message);
                if (bytes > 0)
                    buffers.Use((ulong)buffers.Kept[0].Write(memory, 0, message[..bytes]));
                else
                    i++;
                buffers.End();
            }
            return false;
        }
    }
}
