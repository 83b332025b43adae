using Hatchway.CommandLine;
using Hatchway.Firmware;
using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Machine;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Acpi;
using Hatchway.Machine.Boot;
using Hatchway.Passthrough.Host;
using Hatchway.Passthrough.Kvm;
using Hatchway.Passthrough.Vfio;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Topology;
using Hatchway.Terminal;
using Microsoft.Extensions.Logging;

namespace Hatchway.Vm;

/// <summary>A guest from its making to its end. Made, run once, and disposed by one thread.</summary>
/// <remarks>What is made last is let go first: devices before the RAM that they reach, and that before the VM.</remarks>
internal sealed class VirtualMachine : IDisposable
{
    // A vCPU's thread ends at once, but for one that is in a handler of the user's that does not return.
    private static readonly TimeSpan HandlerBound = TimeSpan.FromSeconds(5);

    private readonly Stack<IDisposable> _owned = [];
    private readonly GuestEnd _end;
    private readonly Pc _pc;
    private readonly SerialConsole? _console;
    private readonly Uart16550? _com1;
    private readonly List<KvmVcpu> _vcpus = [];
    private readonly List<PassthruDevice> _devices = [];

    /// <summary>Makes a guest that is ready to run.</summary>
    /// <param name="options">What the user asked for.</param>
    /// <param name="hosts">The host's functions that it gets, found fit, in the order of their slots.</param>
    /// <param name="log">Where limitations are told.</param>
    public VirtualMachine(RunOptions options, IReadOnlyList<(SlotOption Slot, HostDevice Host)> hosts, ILogger log)
    {
        try
        {
            _end = Own(new GuestEnd());
            var firmware = options.Firmware is null ? null : Own(FirmwareFiles.Open(options.Firmware, options.Name));
            var kvm = Own(KvmSystem.Open());
            var supported = kvm.GetSupportedCpuid();
            var addressBits = GuestCpu.PhysicalAddressBits(supported);
            var layout = Layout(options.MemoryBytes, addressBits, firmware is not null);
            Vm = Own(kvm.CreateVm());
            Vm.SetReservedPages(MemoryLayout.TssAddress, MemoryLayout.IdentityMapAddress);
            Vm.CreateInterruptControllers();
            Vm.CreateTimer();
            var ram = Own(new GuestRam(Vm, layout.Ram));
            _pc = new Pc(new Pc.Parts(layout, gsi => new KvmInterruptLine(Vm, gsi), _end, TimeProvider.System));
            AddEmulated(options);
            AddPassthru(options, hosts, ram, log);
            if (firmware is null)
                PlaceBars(layout, log);
            // After the devices, so that it ends before they go.
            if (_devices.Count > 0)
                Own(new DeviceWatch(_devices, log));
            var description = Describe(options, layout);
            if (firmware is not null)
                Own(new FirmwareBoot(firmware, options.Firmware!.Items, description, Vm, _pc, ram, log));
            var boot = firmware is null ? Load(options, description, ram) : null;
            AddVcpus(options.Cpus, supported, kvm.CheckExtension(KvmCapability.TscDeadlineTimer) != 0, boot, addressBits);
            if (options.SerialPorts.Count > 0)
            {
                // Last, so that an error before leaves the terminal alone.
                _console = Own(new SerialConsole(FileDescriptor.StandardInput, FileDescriptor.StandardOutput, () => _end.Request(EndReason.Stopped)));
                _com1 = _pc.AddCom1(_console, _console.SignalRoom);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>KVM's VM.</summary>
    public KvmVm Vm { get; }

    /// <summary>Its vCPUs in order.</summary>
    public IReadOnlyList<KvmVcpu> Vcpus => _vcpus;

    /// <summary>The host's functions in it.</summary>
    public IReadOnlyList<PassthruDevice> Devices => _devices;

    /// <summary>Presses the power button; pressed again, the guest is switched off. Any thread.</summary>
    public void PressPowerButton()
    {
        if (Interlocked.Increment(ref _presses) == 1)
            _pc.PowerManagement.PressPowerButton();
        else
            Stop();
    }

    /// <summary>Switches the guest off. Any thread.</summary>
    public void Stop() => _end.Request(EndReason.Stopped);

    /// <summary>Runs the guest to its end.</summary>
    /// <exception cref="UserException">It could not be run on.</exception>
    public EndReason Run()
    {
        _console?.Start(_com1!);
        var threads = new List<Thread>();
        try
        {
            foreach (var vcpu in _vcpus)
            {
                var loop = new VcpuLoop(vcpu, _pc.Memory, _pc.Ports, _end);
                var thread = new Thread(loop.Run) { Name = $"vcpu {threads.Count}", IsBackground = true };
                thread.Start();
                threads.Add(thread);
            }
            _end.Wait();
        }
        catch (Exception failure) when (failure is OutOfMemoryException or ThreadStartException)
        {
            _end.Fail($"only {threads.Count} of {_vcpus.Count} CPUs can have a thread: see 'ulimit -u' and the limit on pids of its control group");
        }
        finally
        {
            // Whatever happened: nothing is let go while a vCPU may run.
            Stop();
            StopVcpus(threads);
        }
        return _end.Reason != EndReason.Failed ? _end.Reason : throw new UserException($"the guest can't go on: {_end.Failure}");
    }

    private void StopVcpus(List<Thread> threads)
    {
        for (var i = 0; i < threads.Count; i++)
        {
            _vcpus[i].Kick();
            if (!threads[i].Join(HandlerBound))
                _isStuck = true;
        }
    }

    /// <summary>
    /// Lets go of all that was made. While a handler still has a vCPU, that is the terminal only: the rest, which it may be using, is left
    /// to the process's end.
    /// </summary>
    public void Dispose()
    {
        if (_isStuck)
        {
            _console?.Dispose();
            return;
        }
        while (_owned.TryPop(out var part))
            part.Dispose();
    }

    private bool _isStuck;
    private int _presses;

    private T Own<T>(T part)
        where T : IDisposable
    {
        _owned.Push(part);
        return part;
    }

    private static MemoryLayout Layout(ulong bytes, int addressBits, bool hasFirmware)
    {
        var most = MemoryLayout.MaximumRam(addressBits);
        return bytes <= most
            ? hasFirmware ? MemoryLayout.ForFirmware(bytes, addressBits) : MemoryLayout.For(bytes, addressBits)
            : throw new UserException($"-m: {MemorySize.Format(bytes)} can't be addressed by this host's CPU; a guest can have {MemorySize.Format(most)}");
    }

    private static bool IsMultiFunction(RunOptions options, SlotOption slot) =>
        options.Slots.Any(other => other.Slot == slot.Slot && other.Function != slot.Function);

    private void AddEmulated(RunOptions options)
    {
        foreach (var slot in options.Slots)
        {
            if (slot.Emulation is HostBridgeSlot)
                _pc.Bus.Add(slot.Slot, slot.Function, HostBridge(options, IsMultiFunction(options, slot)));
            else if (slot.Emulation is LpcSlot)
                _pc.Bus.Add(slot.Slot, slot.Function, Bridges.LpcBridge(IsMultiFunction(options, slot)));
        }
    }

    private static IPciFunction HostBridge(RunOptions options, bool multiFunction) =>
        options.Firmware is null ? Bridges.HostBridge(multiFunction) : Bridges.I440FxHostBridge(multiFunction);

    // As firmware does where there is one.
    private void PlaceBars(MemoryLayout layout, ILogger log)
    {
        foreach (var failure in new BarAllocator(layout.Ports, layout.Mmio32, layout.Mmio64).Assign([.. _devices.Select(static d => d.Guest)]))
            log.BarWithoutRoom(failure);
    }

    private void AddPassthru(RunOptions options, IReadOnlyList<(SlotOption Slot, HostDevice Host)> hosts, GuestRam ram, ILogger log)
    {
        // With or without devices: KVM's own table leads the timer to another pin than the MADT says.
        var routes = new InterruptRoutes(Vm);
        if (hosts.Count == 0)
            return;
        var space = Own(new IommuSpace(Vm, ram.ForDma, log));
        foreach (var (slot, host) in hosts)
        {
            var device = Own(new PassthruDevice(slot, host, space, Vm, routes, _pc.PciMap, IsMultiFunction(options, slot), log));
            _pc.Bus.Add(slot.Slot, slot.Function, device.Guest);
            _devices.Add(device);
        }
    }

    private static AcpiDescription Describe(RunOptions options, MemoryLayout layout)
    {
        var slots = options.Slots.Select(static slot => slot.Slot).Distinct().Order().ToArray();
        return new AcpiDescription(options.Cpus, layout, options.SerialPorts.Count > 0, slots) { HasFwCfg = options.Firmware is not null };
    }

    private static BootState Load(RunOptions options, AcpiDescription description, GuestRam ram)
    {
        var rsdp = AcpiTables.Write(description, ram);
        try
        {
            using var kernel = File.OpenRead(options.Kernel!);
            using var initrd = options.Initrd is null ? null : File.OpenRead(options.Initrd);
            return KernelLoader.Load(new BootRequest(kernel, options.Kernel!, initrd, options.Initrd, options.CommandLine, rsdp), ram, description.Layout);
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

    private void AddVcpus(int count, IReadOnlyList<CpuidEntry> supported, bool tscDeadline, BootState? boot, int addressBits)
    {
        for (var id = 0; id < count; id++)
        {
            var vcpu = Own(Vm.CreateVcpu(id));
            vcpu.SetCpuid(GuestCpu.Cpuid(supported, id, count, tscDeadline));
            GuestCpu.Start(vcpu, id == 0, boot, addressBits);
            _vcpus.Add(vcpu);
        }
    }
}
