using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;
using Hatchway.Pci.Address;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine;

/// <summary>The guest's PC: two address spaces, a PCI bus, and the devices that every PC has.</summary>
/// <remarks>
/// The hypervisor provides RAM, the interrupt controllers and the interval timer with port 0x61: only accesses that it does not answer
/// come here. The program adds functions to <see cref="Bus"/>, bridges included, because the user chooses their slots.
/// </remarks>
public sealed class Pc : IDisposable
{
    // The machine's own devices take precedence over anything else that may be mapped.
    private const int Fixed = 1;

    private readonly Parts _parts;
    private readonly Dictionary<uint, SharedInterruptLine> _lines = [];

    /// <summary>Puts a PC together.</summary>
    public Pc(Parts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        _parts = parts;
        PciMap = new MachineAddressMap(Memory, Ports, parts.Layout);
        PowerManagement = new PowerManagementDevice(parts.Power, parts.Line(PowerManagementDevice.SciGsi), parts.Time);
        Memory.Map(parts.Layout.EcamStart, Ecam.BytesPerBus, new Ecam(Bus), Fixed);
        var configPorts = new ConfigAndResetPorts(new ConfigPorts(Bus), new ResetPort(parts.Power));
        Ports.Map(ConfigPorts.FirstPort, ConfigPorts.PortCount, configPorts, Fixed);
        Ports.Map(parts.Layout.PowerManagementPorts, PowerManagementDevice.PortCount, PowerManagement, Fixed);
        Clock = new RealTimeClock(parts.Time, parts.Line(RealTimeClock.Gsi), parts.ClockOffset);
        Ports.Map(RealTimeClock.FirstPort, RealTimeClock.PortCount, Clock, Fixed);
        Ports.Map(KeyboardControllerReset.Port, 1, new KeyboardControllerReset(parts.Power), Fixed);
    }

    /// <summary>The parts that a PC is made of.</summary>
    /// <param name="Layout">The physical address space's layout.</param>
    /// <param name="Line">Gives the wire to a global system interrupt; called once for each that is used.</param>
    /// <param name="Power">Receives requests to switch off and to reset.</param>
    /// <param name="Time">Gives date and timestamps.</param>
    public sealed record Parts(MemoryLayout Layout, Func<uint, IInterruptLine> Line, IPowerControl Power, TimeProvider Time)
    {
        /// <summary>How far the clock is ahead of UTC: zero, or the offset of the host's time zone.</summary>
        public TimeSpan ClockOffset { get; init; }
    }

    /// <summary>Guest-physical memory, except what the hypervisor answers.</summary>
    public AddressSpace Memory { get; } = new(1ul << 52);

    /// <summary>The guest's I/O ports, except what the hypervisor answers.</summary>
    public AddressSpace Ports { get; } = new(0x1_0000);

    /// <summary>The two address spaces as PCI functions may use them.</summary>
    public IGuestAddressMap PciMap { get; }

    /// <summary>Bus 0, the only one. Empty at first; functions are added before the guest runs.</summary>
    public PciBus Bus { get; } = new();

    /// <summary>The power button, and ACPI's soft off.</summary>
    public PowerManagementDevice PowerManagement { get; }

    /// <summary>The clock with its CMOS RAM.</summary>
    public RealTimeClock Clock { get; }

    /// <summary>Stops what the machine does by itself as time passes. No CPU may run.</summary>
    public void Dispose()
    {
        Clock.Dispose();
        PowerManagement.Dispose();
    }

    /// <summary>Connects one more device to the wire of a global system interrupt. While the machine is being built.</summary>
    /// <param name="gsi">The interrupt. Below 16 it is ISA's and edge-triggered, from 16 on PCI's and level-triggered,
    /// as the ACPI tables say.</param>
    public IInterruptLine Connect(uint gsi)
    {
        if (!_lines.TryGetValue(gsi, out var line))
            _lines.Add(gsi, line = new SharedInterruptLine(_parts.Line(gsi), isEdgeTriggered: gsi < IntxRouting.FirstGsi));
        return line.AddInput();
    }

    /// <summary>Adds the device from which firmware reads its configuration.</summary>
    public void Add(FwCfg config) => Ports.Map(FwCfg.FirstPort, FwCfg.PortCount, config, Fixed);

    /// <summary>Adds a flash chip.</summary>
    /// <param name="flash">The chip.</param>
    /// <param name="start">Guest-physical address of its first byte.</param>
    /// <param name="length">Its bytes.</param>
    public void Add(PFlash flash, ulong start, ulong length) => Memory.Map(start, length, flash, Fixed);

    /// <summary>Adds a serial port.</summary>
    /// <param name="number">1 to 4, each at most once.</param>
    /// <param name="sink">Where its output goes.</param>
    /// <param name="drained">See <see cref="Uart16550(ICharacterSink, IInterruptLine, Action?)"/>.</param>
    public Uart16550 AddSerialPort(int number, ICharacterSink sink, Action? drained)
    {
        var port = SerialPort.Numbered(number);
        var uart = new Uart16550(sink, Connect(port.Gsi), drained);
        Ports.Map(port.FirstPort, Uart16550.PortCount, uart, Fixed);
        return uart;
    }
}
