namespace Hatchway.Machine.Virtio.Spec;

/// <summary>The console device (Virtual I/O Device (VIRTIO) Version 1.2 §5.3).</summary>
internal static class ConsoleDevice
{
    /// <summary>The virtio device id (§5).</summary>
    public const ushort DeviceType = 3;

    /// <summary>Feature VIRTIO_CONSOLE_F_MULTIPORT (§5.3.3): several ports, and queues for control messages.</summary>
    public const ulong SeveralPorts = 1 << 1;

    /// <summary>Registers of the configuration (§5.3.4): columns, rows, number of ports, emergency output.</summary>
    public const int MaximumPorts = 4;
    public const int ConfigurationBytes = 8;

    /// <summary>The control queues (§5.3.2): they follow port 0's two queues and precede those of the other ports.</summary>
    public const int ControlToGuest = 2;
    public const int ControlFromGuest = 3;

    /// <summary>Bytes of a control message: port, 32 bits; event and value, 16 bits each (§5.3.6.2). A name follows PORT_NAME.</summary>
    public const int MessageBytes = 8;
    public const int MessageEvent = 4;
    public const int MessageValue = 6;
}

/// <summary>Events of control messages (§5.3.6.2).</summary>
internal enum ConsoleEvent : ushort
{
    DeviceReady = 0,
    PortAdd = 1,
    PortReady = 3,
    PortOpen = 6,
    PortName = 7,
}
