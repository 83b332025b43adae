namespace Hatchway.Machine.Devices;

/// <summary>One of a PC's four serial ports. The third shares the first one's interrupt, and the fourth the second one's.</summary>
/// <param name="Number">1 to 4, as in COM1.</param>
/// <param name="FirstPort">The first of its <see cref="Uart16550.PortCount"/> ports.</param>
/// <param name="Gsi">Its ISA interrupt, which is also its global system interrupt. Edge-triggered.</param>
public readonly record struct SerialPort(int Number, ushort FirstPort, uint Gsi)
{
    /// <summary>All four, in order.</summary>
    public static IReadOnlyList<SerialPort> All { get; } =
    [
        new(1, 0x3F8, 4),
        new(2, 0x2F8, 3),
        new(3, 0x3E8, 4),
        new(4, 0x2E8, 3),
    ];

    /// <summary>Gives the port with a number from 1 to 4.</summary>
    public static SerialPort Numbered(int number) => All[number - 1];
}
