using System.Numerics;
using Hatchway.CommandLine;
using Hatchway.Devices;
using Hatchway.Firmware;
using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Machine;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Acpi;
using Hatchway.Machine.Boot;
using Hatchway.Machine.Smbios;
using Hatchway.Passthrough.Host;
using Hatchway.Passthrough.Kvm;
using Hatchway.Passthrough.Vfio;
using Hatchway.Pci.Topology;
using Hatchway.Terminal;
using Microsoft.Extensions.Logging;

namespace Hatchway.Vm;

/// <summary>A guest's machine. One thread makes it, runs it once, and disposes it.</summary>
/// <remarks>Parts are disposed in reverse order: devices before the RAM that they access, and the RAM before the VM.</remarks>
internal sealed class VirtualMachine : IDisposable
{
    // How long to wait for a vCPU's thread. It reacts at once, unless it is in a user's handler that does not return, or in a long kernel
    // call, such as a device's reset or the mapping of a large BAR.
    private static readonly TimeSpan HandlerBound = TimeSpan.FromSeconds(5);

    private readonly Stack<IDisposable> _owned = [];
    private readonly GuestEnd _end;
    private readonly Pc _pc;
    private readonly List<(ISerialPeer Peer, Uart16550 Port)> _serialPorts = [];
    private readonly IReadOnlyDictionary<int, IReadOnlyList<int>> _pins;
    private readonly PauseGate _pause;
    private readonly List<KvmVcpu> _vcpus = [];
    private readonly List<KvmStatistics> _vcpuStatistics = [];
    private readonly List<PassthruDevice> _devices = [];

    /// <summary>Makes a machine that is ready to run.</summary>
    /// <param name="options">What the user asked for.</param>
    /// <param name="hosts">The host's functions for the guest, already checked, in the order of their slots.</param>
    /// <param name="console">Its com1, for clients that attach later; null when it has none.</param>
    /// <param name="stop">Ends the guest for good, when the user types the escape key at its console.</param>
    /// <param name="log">Receives limitations.</param>
    public VirtualMachine(
        RunOptions options, IReadOnlyList<(SlotOption Slot, HostDevice Host)> hosts, AttachedConsole? console, Action stop, ILogger log)
    {
        try
        {
            _pins = options.Pins;
            _end = Own(new GuestEnd());
            _pause = new PauseGate(options.Cpus);
            var firmware = options.Firmware is null ? null : Own(FirmwareFiles.Open(options.Firmware, options.Name));
            var kvm = Own(KvmSystem.Open());
            var supported = kvm.GetSupportedCpuid();
            var addressBits = GuestCpu.PhysicalAddressBits(supported);
            var layout = Layout(options.Memory.Bytes, addressBits, firmware is not null);
            Vm = Own(kvm.CreateVm());
            Vm.SetReservedPages(MemoryLayout.TssAddress, MemoryLayout.IdentityMapAddress);
            Vm.CreateInterruptControllers();
            Vm.CreateTimer();
            if (!options.StrictMsrs)
                Vm.HandOverUnknownMsrs();
            if (!options.ExitsOnHalt && !Vm.KeepCpusInHalt())
            {
                throw new UserException(
                    "x86.vmexit_on_hlt=false: this host's KVM does not let a guest's HLT keep the CPU: leave the variable out");
            }
            var ram = Own(new GuestRam(Vm, layout.Ram, options.Memory, hasDevices: hosts.Count > 0));
            var space = JoinIommu(hosts, ram, log);
            if (space is not null)
                (layout, addressBits) = Within(space.LastAddress, layout, addressBits, options.Memory.Bytes, firmware is not null);
            _pc = Own(new Pc(new Pc.Parts(layout, gsi => new KvmInterruptLine(Vm, gsi), _end, TimeProvider.System)
            {
                ClockOffset = options.ClockInLocalTime ? HostClock.LocalOffset : TimeSpan.Zero,
            }));
            // Behind all other targets.
            if (options.StrictPorts)
                _pc.Ports.Map(0, _pc.Ports.Length, new UnclaimedPorts(_end), int.MinValue);
            AddEmulated(options);
            // Needed even without devices: KVM's default table routes the timer to another pin than the MADT says.
            var routes = new InterruptRoutes(Vm);
            if (space is not null)
                AddPassthru(options, hosts, space, routes, log);
            var software = Own(new SoftwareDevices(options, _pc, Vm, routes, ram, _end, log));
            Software = software.All;
            if (firmware is null)
                PlaceBars(layout, software, log);
            // After the devices, so that the watch ends before they do.
            if (_devices.Count > 0)
                Own(new DeviceWatch(_devices, log));
            var description = Describe(options, layout);
            var identity = options.Smbios.Describe(options.Topology, layout);
            if (firmware is not null)
                Own(new FirmwareBoot(firmware, options.Firmware!.Items, description, identity, Vm, _pc, ram, log));
            var boot = firmware is null ? Load(options, description, identity, ram) : null;
            AddVcpus(options, supported, kvm.CheckExtension(KvmCapability.TscDeadlineTimer) != 0, boot, addressBits);
            // Last, so that an earlier error leaves this process's terminal alone.
            AddSerialPorts(options.SerialPorts, console, stop);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>KVM's VM.</summary>
    public KvmVm Vm { get; }

    /// <summary>The vCPUs' counters, in order.</summary>
    public IReadOnlyList<KvmStatistics> VcpuStatistics => _vcpuStatistics;

    /// <summary>Accesses to memory and to ports with a byte that no target answered. Any thread.</summary>
    public (long Memory, long Ports) Unclaimed => (_pc.Memory.Unclaimed, _pc.Ports.Unclaimed);

    /// <summary>The host's functions in the guest.</summary>
    public IReadOnlyList<PassthruDevice> Devices => _devices;

    /// <summary>The software devices in slots.</summary>
    public IReadOnlyList<VirtioSlotDevice> Software { get; }

    /// <summary>Presses the power button. Any thread.</summary>
    public void PressPowerButton() => _pc.PowerManagement.PressPowerButton();

    /// <summary>Pauses the vCPUs; devices complete the requests that they have. Any thread.</summary>
    /// <returns>False when a vCPU does not stop within seconds, because a handler or the kernel holds it; it stops when that
    /// returns.</returns>
    public bool Pause()
    {
        _pause.Close();
        foreach (var vcpu in _vcpus)
            vcpu.Kick();
        return _pause.WaitForAll(HandlerBound);
    }

    /// <summary>Resumes the vCPUs. Any thread.</summary>
    public void Resume() => _pause.Open();

    /// <summary>True while a vCPU is in one of the user's register handlers.</summary>
    public bool HasCpuInHandler => _devices.Exists(static device => device.HasCpuInHandler);

    /// <summary>True when the guest has ended while a handler still held a vCPU: the machine can't be disposed before the process
    /// ends.</summary>
    public bool IsStuck { get; private set; }

    /// <summary>True from <see cref="Pause"/> to <see cref="Resume"/>.</summary>
    public bool IsPaused => _pause.IsClosed;

    /// <summary>Switches the guest off. Any thread.</summary>
    public void Stop() => _end.Request(EndReason.Stopped);

    /// <summary>Runs the guest to its end.</summary>
    /// <exception cref="UserException">The guest could not run on.</exception>
    public EndReason Run()
    {
        LateLibraries.Load();
        foreach (var (peer, port) in _serialPorts)
            peer.Start(port);
        var threads = new List<Thread>();
        try
        {
            foreach (var vcpu in _vcpus)
            {
                var loop = new VcpuLoop(vcpu, _pc.Memory, _pc.Ports, _end, _pause);
                var number = threads.Count;
                var thread = new Thread(() => RunOn(number, loop)) { IsBackground = true };
                thread.Start();
                threads.Add(thread);
            }
            _end.Wait();
        }
        catch (Exception failure) when (failure is OutOfMemoryException or ThreadStartException)
        {
            _end.Fail(
                $"only {threads.Count} of {_vcpus.Count} CPUs can have a thread: "
                + "see 'ulimit -u' and the limit on pids of its control group");
        }
        finally
        {
            // In any case, nothing may be disposed while a vCPU may run.
            Stop();
            _pause.End();
            StopVcpus(threads);
        }
        return _end.Reason != EndReason.Failed ? _end.Reason : throw new UserException($"the guest can't go on: {_end.Failure}");
    }

    private void RunOn(int number, VcpuLoop loop)
    {
        // The thread names itself: naming another one writes to a file, which the sandbox keeps closed.
        Thread.CurrentThread.Name = $"vcpu {number}";
        try
        {
            if (_pins.GetValueOrDefault(number) is { } pins)
                CpuAffinity.Limit(pins);
        }
        catch (LinuxException failure)
        {
            _end.Fail($"a CPU can't be pinned: {failure.Message}");
            return;
        }
        loop.Run();
    }

    // The terminal comes last of them.
    private void AddSerialPorts(IReadOnlyList<SerialPortOption> ports, AttachedConsole? console, Action stop)
    {
        foreach (var port in ports.OrderBy(static port => port.Backend is StandardStreams))
            AddSerialPort(port, port.Number == 1 ? console : null, stop);
    }

    private void AddSerialPort(SerialPortOption option, AttachedConsole? console, Action stop)
    {
        var opened = SerialPeers.Open(option, stop, _end.Ended);
        var peer = Own(console is null ? opened! : new SharedConsole(console, opened));
        _serialPorts.Add((peer, _pc.AddSerialPort(option.Number, peer, peer.SignalRoom)));
    }

    private void StopVcpus(List<Thread> threads)
    {
        // All at once: while one is waited for, the others are not to run on.
        foreach (var vcpu in _vcpus)
            vcpu.Kick();
        foreach (var thread in threads)
        {
            while (!IsStuck && !thread.Join(HandlerBound))
                IsStuck = HasCpuInHandler;
        }
    }

    /// <summary>
    /// Disposes all parts. While a handler holds a vCPU, it disposes only the terminal: the handler may be using the rest, which is left
    /// to the process's end.
    /// </summary>
    public void Dispose()
    {
        if (IsStuck)
        {
            foreach (var (peer, _) in _serialPorts)
                peer.Dispose();
            return;
        }
        while (_owned.TryPop(out var part))
            part.Dispose();
    }

    private T Own<T>(T part)
        where T : IDisposable
    {
        _owned.Push(part);
        return part;
    }

    // No BAR is where the IOMMU has no addresses: another device could not reach it.
    private static (MemoryLayout Layout, int AddressBits) Within(
        ulong lastAddress, MemoryLayout layout, int addressBits, ulong ramBytes, bool hasFirmware)
    {
        if (!hasFirmware)
            return (layout.Within(lastAddress), addressBits);
        // Firmware puts the window where the CPU's addresses end, so these may not go beyond the IOMMU's.
        var common = Math.Min(addressBits, lastAddress == ulong.MaxValue ? 64 : BitOperations.Log2(lastAddress + 1));
        return (Layout(ramBytes, common, hasFirmware: true), common);
    }

    private static MemoryLayout Layout(ulong bytes, int addressBits, bool hasFirmware)
    {
        var most = MemoryLayout.MaximumRam(addressBits);
        return bytes <= most
            ? hasFirmware ? MemoryLayout.ForFirmware(bytes, addressBits) : MemoryLayout.For(bytes, addressBits)
            : throw new UserException(
                $"-m: {MemorySize.Format(bytes)} can't be addressed by this host's CPU; a guest can have {MemorySize.Format(most)}");
    }

    private void AddEmulated(RunOptions options)
    {
        foreach (var slot in options.Slots)
        {
            if (slot.Emulation is HostBridgeSlot bridge)
                _pc.Bus.Add(slot.Slot, slot.Function, HostBridge(options, bridge, options.IsMultiFunction(slot)));
            else if (slot.Emulation is LpcSlot)
                _pc.Bus.Add(slot.Slot, slot.Function, Bridges.LpcBridge(options.IsMultiFunction(slot)));
        }
    }

    // Firmware recognises the chipset by its host bridge, and does not know bhyve's.
    private static IPciFunction HostBridge(RunOptions options, HostBridgeSlot bridge, bool multiFunction) => options.Firmware is null
        ? Bridges.HostBridge(bridge.Vendor, bridge.Device, multiFunction)
        : Bridges.I440FxHostBridge(multiFunction);

    // Places the BARs, as firmware does where there is firmware.
    private void PlaceBars(MemoryLayout layout, SoftwareDevices software, ILogger log)
    {
        var allocator = new BarAllocator(layout.Windows);
        foreach (var line in allocator.Assign([.. _devices.Select(NameOf), .. software.Guests]))
            log.BarWithoutRoom(line);
    }

    private static NamedFunction NameOf(PassthruDevice device) => new(device.Host.Address.ToString(), device.Guest);

    private IommuSpace? JoinIommu(IReadOnlyList<(SlotOption Slot, HostDevice Host)> hosts, GuestRam ram, ILogger log)
    {
        if (hosts.Count == 0)
            return null;
        var space = Own(new IommuSpace(Vm, ram.ForDma, log));
        space.Join([.. hosts.Select(static entry => entry.Host)]);
        return space;
    }

    private void AddPassthru(
        RunOptions options, IReadOnlyList<(SlotOption Slot, HostDevice Host)> hosts, IommuSpace space, InterruptRoutes routes, ILogger log)
    {
        foreach (var (slot, host) in hosts)
            _devices.Add(Own(new PassthruDevice(slot, host, space, Vm, routes, log)));
        // When all are open, and before anything of them is the guest's; it ends before the first is closed.
        Own(new HotResets([.. _devices.Select(static device => device.Function)], space, log)).Reset();
        foreach (var device in _devices)
        {
            device.Attach(_pc.PciMap, options.IsMultiFunction(device.Slot));
            _pc.Bus.Add(device.Slot.Slot, device.Slot.Function, device.Guest);
        }
    }

    private static AcpiDescription Describe(RunOptions options, MemoryLayout layout)
    {
        var slots = new SortedSet<int>();
        foreach (var slot in options.Slots)
            slots.Add(slot.Slot);
        return new AcpiDescription(options.Cpus, layout, [.. options.SerialPorts.Select(static port => port.Number)], [.. slots])
        {
            ApicId = options.Topology.ApicId,
            HasFwCfg = options.Firmware is not null,
        };
    }

    private static BootState Load(RunOptions options, AcpiDescription description, SmbiosDescription identity, GuestRam ram)
    {
        var rsdp = AcpiTables.Write(description, ram);
        SmbiosTables.Write(identity, ram);
        try
        {
            using var kernel = File.OpenRead(options.Kernel!);
            using var initrd = options.Initrd is null ? null : File.OpenRead(options.Initrd);
            var request = new BootRequest(kernel, options.Kernel!, initrd, options.Initrd, options.CommandLine, rsdp);
            return KernelLoader.Load(request, ram, description.Layout);
        }
        catch (BootException failure)
        {
            throw new UserException(failure.Message);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"the kernel or initrd can't be read: {failure.Message}");
        }
    }

    private void AddVcpus(RunOptions options, IReadOnlyList<CpuidEntry> supported, bool tscDeadline, BootState? boot, int addressBits)
    {
        for (var cpu = 0; cpu < options.Cpus; cpu++)
        {
            var vcpu = Own(Vm.CreateVcpu((int)options.Topology.ApicId(cpu)));
            vcpu.SetCpuid(GuestCpu.Cpuid(supported, cpu, options.Topology, tscDeadline, options.X2Apic is not false, addressBits));
            GuestCpu.Start(vcpu, cpu == 0, boot, addressBits, options.X2Apic is true);
            _vcpus.Add(vcpu);
            // Opened now: once the vCPU runs, a request to KVM waits until it leaves the guest. The counters can then be read at any time.
            _vcpuStatistics.Add(Own(vcpu.OpenStatistics()));
        }
    }
}
